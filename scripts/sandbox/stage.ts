import { fork, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { programOf } from '../../launch/program.mjs';
import type { DeploymentFile } from '../../model/deployment.js';
import { operationId, TASK_QUEUE } from '../../model/names.js';
import { viewProcess } from '../../platforms/process/processes.js';
import type { Sandbox } from './cluster.js';
import { bundleFile } from '../../workers/bundle-file.js';
import { startTemporal, type TemporalServer } from '../setup/temporal.js';
import type { fallback } from '../../workflows/fallback.js';
import type { Ended } from '../../workflows/run.js';
import type { upgrade, UpgradeResult } from '../../workflows/upgrade.js';
import type { upgradeShard } from '../../workflows/upgrade-shard.js';
import { Operation } from './operation.js';
import { WorkerFaults } from './worker-faults.js';
import type { WorkerProcessInput } from './worker-process.js';

type PolicyFile = NonNullable<DeploymentFile['policy']>;
export type UpgradeOutcome = Ended<UpgradeResult>;

const workerProcess = fileURLToPath(new URL('./worker-process.ts', import.meta.url));
const quickRetriesModule = fileURLToPath(new URL('./quick-retries.ts', import.meta.url));

/** A Temporal server, a folder of deployments, and a worker that can be killed: what an upgrade needs beside its nodes. */
export class Stage implements AsyncDisposable {
  readonly #workers: ChildProcess[] = [];
  #keeping: Promise<void> | undefined;
  #restarting: Promise<void> | undefined;
  #closing = false;
  /** What befalls the worker, and its successors. */
  readonly faults: WorkerFaults;

  private constructor(
    readonly root: string,
    private temporal: TemporalServer,
    private readonly connection: Connection,
    readonly client: Client,
    readonly dbFile: string | undefined,
    /** Secrets as the worker's environment holds them, for `env:` references. */
    readonly environment: Readonly<Record<string, string>>,
    private readonly quickRetries: boolean,
    private readonly node: string,
  ) {
    this.faults = new WorkerFaults(join(root, 'faults'));
  }

  /**
   * @param options.durable Temporal keeps its state in a file, so that it can be restarted
   * @param options.quickRetries dead workers are missed after three seconds instead of ten, and tried again at once
   * @param options.node path of the Node that workers run by
   */
  static async open({
    durable = false,
    environment = {},
    quickRetries = false,
    node = process.execPath,
  }: {
    durable?: boolean;
    environment?: Record<string, string>;
    quickRetries?: boolean;
    node?: string;
  } = {}): Promise<Stage> {
    const root = await mkdtemp(join(tmpdir(), 'redis-rollout-e2e-'));
    await mkdir(join(root, 'deployments'));
    const dbFile = durable ? join(root, 'temporal.db') : undefined;
    const temporal = await startTemporal(dbFile === undefined ? {} : { dbFile });
    const connection = await Connection.connect({ address: temporal.address });
    const client = new Client({ connection });
    const stage = new Stage(root, temporal, connection, client, dbFile, environment, quickRetries, node);
    try {
      await stage.startWorker();
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
    return stage;
  }

  get address(): string {
    return this.temporal.address;
  }
  get deployments(): string {
    return join(this.root, 'deployments');
  }
  get state(): string {
    return join(this.root, 'state');
  }
  get workerLog(): string {
    return join(this.root, 'worker.log');
  }

  /** Of the worker that was started last. */
  get workerPid(): number {
    const pid = this.#live().at(-1)?.pid;
    if (pid === undefined) throw new Error('no worker runs');
    return pid;
  }

  /** Writes the deployment file of a cluster: soaks and patience short, and gates generous, since machines of tests are small. */
  async deploy(
    name: string,
    cluster: Sandbox,
    file: Partial<Omit<DeploymentFile, 'policy'>> & { policy?: PolicyFile } = {},
  ): Promise<void> {
    const { policy, ...rest } = file;
    const whole: DeploymentFile = {
      name,
      topology: 'cluster',
      seeds: cluster.nodes.map((node) => node.address),
      platform: { kind: 'process' },
      backup: { directory: join(this.root, 'backups') },
      ...rest,
      policy: {
        canarySoak: '1s',
        soak: '1s',
        ttlTolerance: '10s',
        probe: { rate: 20 },
        validation: { measure: '0s' },
        ...policy,
        gates: { maxLatency: '2s', memoryHeadroom: 0, diskHeadroom: 0, ...policy?.gates },
      },
    };
    await writeFile(join(this.deployments, `${name}.yaml`), JSON.stringify(whole, null, 2));
  }

  /** Starts a worker and waits until it polls. @param options.temporal where it finds Temporal, by default straight */
  async startWorker({ temporal = this.address }: { temporal?: string } = {}): Promise<void> {
    const log = await open(this.workerLog, 'a');
    const input: WorkerProcessInput = {
      deployments: this.deployments,
      state: this.state,
      bundleFile: await bundleFile(this.quickRetries ? [quickRetriesModule] : []),
      faults: this.faults.folder,
      quickRetries: this.quickRetries,
    };
    const { file, execArgv } = await programOf(workerProcess);
    const worker = fork(file, [JSON.stringify(input)], {
      execArgv,
      execPath: this.node,
      // As `rollout worker` is started (scripts/bootstrap.mjs).
      env: { MALLOC_ARENA_MAX: '1', ...process.env, ...this.environment, TEMPORAL_ADDRESS: temporal },
      stdio: ['ignore', log.fd, log.fd, 'ipc'],
    });
    this.#workers.push(worker);
    await log.close();
    await new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('exit', (code, signal) => {
        const log = readFileSync(this.workerLog, 'utf8').slice(-2000);
        reject(new Error(`the worker ended with ${signal ?? code}: ${log}`));
      });
    });
    worker.removeAllListeners('exit');
    worker.disconnect();
  }

  /**
   * From now on there are always so many workers: in the place of one that dies another is started, and beside one that
   * hangs (SIGSTOP). Ends with the stage.
   */
  keepWorker(count = 1): void {
    this.#keeping ??= this.#keepWorkers(count);
  }

  async #keepWorkers(count: number): Promise<void> {
    while (!this.#closing) {
      const views = await Promise.all(this.#live().map(({ pid = 0 }) => viewProcess(pid)));
      if (views.filter((view) => view && !view.stopped).length >= count) await sleep(50);
      // One that ends before it polls, Temporal being away, is followed by the next one.
      else await this.startWorker().catch(() => sleep(200));
    }
  }

  /** Ends the workers for good: none is started in their place. */
  async endWorkers(): Promise<void> {
    this.#closing = true;
    await this.#keeping;
    await this.endWorker();
  }

  /** Ends the workers' processes; by SIGKILL unless asked otherwise. */
  async endWorker(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await Promise.all(this.#live().map((worker) => end(worker, signal)));
  }

  #live(): ChildProcess[] {
    return this.#workers.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  }

  /** Ends the Temporal server and starts it again on the same port and file, while everything else goes on. */
  restartTemporal(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.#restarting = this.#restartTemporal(signal);
    return this.#restarting;
  }

  async #restartTemporal(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const port = Number(this.temporal.address.split(':')[1]);
    process.kill(this.temporal.pid, signal);
    await this.temporal.stop();
    if (this.dbFile === undefined) throw new Error('open the stage with durable: true to restart its Temporal server');
    this.temporal = await startTemporal({ dbFile: this.dbFile, port });
  }

  /** Starts an upgrade as `rollout start` does. */
  async start(
    deployment: string,
    to: string,
    { startedBy = 'olu', via = [] }: { startedBy?: string; via?: string[] } = {},
  ): Promise<Operation> {
    const handle = await this.client.workflow.start<typeof upgrade>('upgrade', {
      workflowId: operationId(deployment),
      taskQueue: TASK_QUEUE,
      args: [{ deployment, to, via, startedBy }],
    });
    return new Operation(this.client.workflow, handle.workflowId, handle.firstExecutionRunId);
  }

  /** Starts a fallback by itself, as `rollout fallback` does where no upgrade runs. */
  async startFallback(
    deployment: string,
    input: { reason: string; shards?: string[]; restore?: boolean; startedBy?: string },
  ): Promise<Operation> {
    const handle = await this.client.workflow.start<typeof fallback>('fallback', {
      workflowId: operationId(deployment),
      taskQueue: TASK_QUEUE,
      args: [{ deployment, startedBy: 'olu', ...input }],
    });
    return new Operation(this.client.workflow, handle.workflowId, handle.firstExecutionRunId);
  }

  /** Starts the upgrade of one shard by itself. */
  async startShard(deployment: string, to: string, shard: string): Promise<Operation> {
    const handle = await this.client.workflow.start<typeof upgradeShard>('upgradeShard', {
      workflowId: operationId(deployment),
      taskQueue: TASK_QUEUE,
      args: [{ deployment, to, shard, startedBy: 'olu' }],
    });
    return new Operation(this.client.workflow, handle.workflowId, handle.firstExecutionRunId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endWorkers();
    await this.#restarting?.catch(() => undefined);
    await this.connection.close();
    await this.temporal.stop();
    await rm(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function end(worker: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.kill(signal);
  await gone;
}
