import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';
import { NativeConnection, Worker } from '@temporalio/worker';
import { FailureInterceptor } from '../../../activities/failure.js';
import { copyName, operationId, stagingWorkflowId, TASK_QUEUE, type WorkflowType } from '../../../model/names.js';
import type { Activities } from '../../../model/work.js';
import { startTemporal, type TemporalOptions, type TemporalServer } from '../../../scripts/setup/temporal.js';
import { Operation } from '../../../scripts/sandbox/operation.js';
import { CoverageOfWorkflows } from './coverage.js';
import { FakeDeployment, type FakeOptions } from './fake-deployment.js';
import { FakeRehearsal } from './fake-rehearsal.js';
import '../../quiet-runtime.js';

/** A real Temporal server and worker with the real workflows; only the activities are fake. */
export class FakeStage implements AsyncDisposable {
  readonly #deployments = new Map<string, FakeDeployment>();
  readonly #rehearsals = new Map<string, FakeRehearsal>();
  #running: Promise<void> | undefined;
  #worker: Worker | undefined;
  readonly coverage = new CoverageOfWorkflows();

  private constructor(
    private readonly temporal: TemporalServer,
    private readonly connection: Connection,
    private readonly native: NativeConnection,
    readonly client: Client,
  ) {}

  /** @param options.timeSkipping nobody waits for a timer: for what takes days */
  static async open(options: Pick<TemporalOptions, 'timeSkipping'> = {}): Promise<FakeStage> {
    const temporal = await startTemporal(options);
    const connection = await Connection.connect({ address: temporal.address });
    const native = await NativeConnection.connect({ address: temporal.address });
    const stage = new FakeStage(temporal, connection, native, new Client({ connection }));
    const { coverage } = stage;
    stage.#worker = await Worker.create(
      coverage.ofWorker({
        connection: native,
        taskQueue: TASK_QUEUE,
        workflowBundle: await coverage.bundle(),
        activities: stage.#activities(),
        // By a heartbeat an activity hears that it is cancelled.
        maxHeartbeatThrottleInterval: '100 ms',
        interceptors: { activity: [() => ({ inbound: new FailureInterceptor() })] },
      }),
    );
    stage.#running = stage.#worker.run();
    return stage;
  }

  /** For the commands that a person gives. */
  get address(): string {
    return this.temporal.address;
  }

  deploy(name: string, options?: FakeOptions): FakeDeployment {
    const fake = new FakeDeployment(name, options);
    this.#deployments.set(name, fake);
    return fake;
  }

  /** What its upgrades are rehearsed on, as well. @param staging of its deployment file */
  deployWithCopy(
    name: string,
    staging: object = {},
    options: FakeOptions = {},
  ): { fake: FakeDeployment; copy: FakeDeployment; rehearsal: FakeRehearsal } {
    const fake = this.deploy(name, options);
    const policy = 'fallback: standby\napprovals: { finalize: { roles: [staging], selfApproval: true } }';
    const copy = this.deploy(copyName(name), { policy, roles: '{ staging: [staging] }' });
    const rehearsal = new FakeRehearsal(fake, copy, staging);
    this.#rehearsals.set(name, rehearsal);
    return { fake, copy, rehearsal };
  }

  async start(deployment: string, input: object = {}, type: WorkflowType = 'upgrade'): Promise<Operation> {
    const { workflow } = this.client;
    const { workflowId, firstExecutionRunId } = await workflow.start(type, {
      workflowId: type === 'staging' ? stagingWorkflowId(deployment) : operationId(deployment),
      taskQueue: TASK_QUEUE,
      args: [{ deployment, ...(type === 'fallback' ? {} : { to: '8.0' }), startedBy: 'olu', ...input }],
    });
    return new Operation(workflow, workflowId, firstExecutionRunId, 100_000);
  }

  /** Deploys and starts at once. */
  async run(name: string, options?: FakeOptions): Promise<{ fake: FakeDeployment; operation: Operation }> {
    const fake = this.deploy(name, options);
    return { fake, operation: await this.start(name) };
  }

  handle(workflowId: string): WorkflowHandle {
    return this.client.workflow.getHandle(workflowId);
  }

  /** Types of the events of a workflow's history, in order: `WORKFLOW_TASK_STARTED`. */
  async events(workflowId: string, runId?: string): Promise<string[]> {
    const { events } = await this.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const { EventType } = proto.temporal.api.enums.v1;
    return (events ?? []).map(({ eventType }) => (EventType[eventType ?? 0] ?? '?').replace('EVENT_TYPE_', ''));
  }

  #activities(): Activities {
    const any = new FakeDeployment('any');
    const actsOf = (it: object): string[] =>
      Object.keys(it).filter((name) => typeof Reflect.get(it, name) === 'function');
    const names = [...actsOf(any), ...actsOf(new FakeRehearsal(any, any, {}))];
    const dispatch = (name: string) => (input: { deployment: string }) => {
      const fakes = [this.#deployments.get(input.deployment), this.#rehearsals.get(input.deployment)];
      const fake = fakes.find((it) => it && Reflect.has(it, name));
      const act = (fake && Reflect.get(fake, name)) as ((input: unknown) => unknown) | undefined;
      if (!act) throw new Error(`no fake ${name} of ${input.deployment}`);
      return act(input);
    };
    return Object.fromEntries(names.map((name) => [name, dispatch(name)])) as unknown as Activities;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#worker?.shutdown();
    await this.#running;
    await this.coverage.write();
    await this.native.close();
    await this.connection.close();
    await this.temporal.stop();
  }
}
