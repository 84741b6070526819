import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { loadDeployment } from '../../integrations/deployment-files.js';
import type { Deployment } from '../../model/deployment.js';
import type { Route } from '../../model/notify-policy.js';
import { formatMoment } from '../../model/duration.js';
import { operationId, stagingWorkflowId } from '../../model/names.js';
import type { Waiting } from '../../model/operation.js';
import { OperationReader } from '../read-operation.js';
import { routeKey } from './channels.js';
import { RouteDelivery, type Look } from './deliver.js';
import { Ledger } from './ledger.js';

export interface WatchContext {
  client: Client;
  /** Folder of the deployment files. */
  deployments: string;
  /** What was told is kept below it. */
  state: string;
  namespace: string;
  warn: (message: string) => void;
}

/** Looks at one deployment's operations and rehearsals again and again, and tells its routes what there is to tell. */
export class DeploymentWatch {
  readonly #readers = new Map<string, OperationReader>();
  readonly #routes = new Map<string, RouteDelivery>();
  readonly #last = new Map<string, Look>();
  /** Since when no worker has answered, ISO 8601. */
  readonly #silentSince = new Map<string, string>();
  /** Of runs that have ended and of which something is still to tell. */
  readonly #ended = new Map<string, Look>();
  #ledgers: readonly [workflowId: string, ledger: Ledger][] | undefined;
  #looking: Promise<void> | undefined;
  #lastProblem = '';

  constructor(
    readonly name: string,
    private readonly context: WatchContext,
  ) {}

  /** One look, or the one that is under way; never rejects: a broken file and no Temporal are said once, and looked at again. */
  look(now: number): Promise<void> {
    this.#looking ??= this.#look(now).finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  /** Once the look under way, if any, is over. */
  get settled(): Promise<void> {
    return this.#looking ?? Promise.resolve();
  }

  async #look(now: number): Promise<void> {
    try {
      // Read each time: what is changed holds from the next look on.
      const deployment = await loadDeployment(this.name, this.context.deployments);
      if (deployment.notify.routes.length > 0) await this.#lookAt(deployment, now);
      this.#lastProblem = '';
    } catch (error) {
      const problem = `${this.name}: ${error instanceof Error ? error.message : String(error)}`;
      if (problem !== this.#lastProblem) this.context.warn(problem);
      this.#lastProblem = problem;
    }
  }

  async #lookAt(deployment: Deployment, now: number): Promise<void> {
    for (const [workflowId, ledger] of (this.#ledgers ??= await this.#openLedgers()))
      await this.#lookAtRuns(workflowId, ledger, deployment, now);
  }

  #openLedgers(): Promise<[string, Ledger][]> {
    const { name } = this;
    const { state } = this.context;
    return Promise.all([
      Ledger.open(state, name).then((ledger): [string, Ledger] => [operationId(name), ledger]),
      Ledger.open(state, name, 'staging').then((ledger): [string, Ledger] => [stagingWorkflowId(name), ledger]),
    ]);
  }

  async #lookAtRuns(workflowId: string, ledger: Ledger, deployment: Deployment, now: number): Promise<void> {
    const latest = await this.#latestRun(workflowId);
    const runs = new Set([...ledger.pending, ...(latest === undefined || ledger.isDone(latest) ? [] : [latest])]);
    for (const run of runs) {
      const look = await this.#read(workflowId, run, deployment, now);
      // Temporal keeps a run for so long, and no longer.
      if (look === undefined) await ledger.finish(run);
      else await this.#tell(look, deployment, ledger, now);
    }
  }

  async #tell(look: Look, deployment: Deployment, ledger: Ledger, now: number): Promise<void> {
    const places = new Map<string, Route[]>();
    for (const route of deployment.notify.routes)
      places.set(routeKey(route.to), [...(places.get(routeKey(route.to)) ?? []), route]);
    // A place that hangs holds up no other, and neither the next look. Routes to one place go one after the other.
    const all = Promise.all(
      [...places.values()].map(async (routes) => {
        let toldAll = true;
        for (const route of routes)
          toldAll = (await this.#delivery(route, deployment, ledger).deliver(look, deployment, now)) && toldAll;
        return toldAll;
      }),
    );
    if (look.status.endedAt === undefined) {
      void all;
      return;
    }
    if (!(await all).every(Boolean)) return;
    await ledger.finish(look.run);
    this.#ended.delete(look.run);
  }

  #delivery(route: Route, deployment: Deployment, ledger: Ledger): RouteDelivery {
    // Settings that have changed are another delivery; what was told stays known by where it went.
    const key = JSON.stringify([
      ledger.file,
      routeKey(route.to),
      route,
      deployment.notify.slack,
      deployment.notify.smtp,
    ]);
    const known = this.#routes.get(key);
    if (known) return known;
    const made = new RouteDelivery(route, deployment, ledger, this.context.warn);
    this.#routes.set(key, made);
    return made;
  }

  /** First run id of the operation that runs, or ran last. */
  async #latestRun(workflowId: string): Promise<string | undefined> {
    try {
      const { raw, runId } = await this.context.client.workflow.getHandle(workflowId).describe();
      const first = raw.workflowExecutionInfo?.firstRunId;
      return first === undefined || first === null || first === '' ? runId : first;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  async #read(workflowId: string, run: string, { notify }: Deployment, now: number): Promise<Look | undefined> {
    const ended = this.#ended.get(run);
    if (ended) return ended;
    const { client, namespace } = this.context;
    const reader = this.#readers.get(run) ?? new OperationReader(client.workflow, { workflowId, runId: run });
    this.#readers.set(run, reader);
    const ui = notify.temporalUi?.replace(/\/+$/, '');
    const page = `${ui ?? ''}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(workflowId)}/${run}`;
    const temporalUrl = ui === undefined ? undefined : page;
    try {
      const view = await reader.read();
      this.#silentSince.delete(run);
      const look: Look = { ...view, run, temporalUrl };
      this.#last.set(run, look);
      if (view.status.endedAt === undefined) return look;
      const last: Look = { ...(await reader.read({ thorough: true })), run, temporalUrl };
      for (const known of [this.#readers, this.#last]) known.delete(run);
      this.#ended.set(run, last);
      return last;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      return this.#silent(run, error, now);
    }
  }

  /** What was known last, and that nothing answers now: somebody should know that, too. */
  #silent(run: string, error: unknown, now: number): Look {
    const last = this.#last.get(run);
    if (!last) throw error;
    const since = this.#silentSince.get(run) ?? new Date(now).toISOString();
    this.#silentSince.set(run, since);
    const waiting: Waiting = {
      ...{ kind: 'worker', name: 'silent', since, clears: 'a worker runs', command: 'rollout worker' },
      reason: `no worker has answered since ${formatMoment(since)}: nothing goes on`,
    };
    return { ...last, status: { ...last.status, waiting: [...last.status.waiting, waiting] } };
  }
}
