import { WorkflowNotFoundError, type WorkflowClient } from '@temporalio/client';
import type { OperationStatus, TimelineEntry } from '../model/operation.js';
import { rollingId, shardId, type WorkflowType } from '../model/names.js';
import { mergeStatuses, mergeTimelines } from './merge-family.js';

/** One run of one workflow. */
export interface Execution {
  workflowId: string;
  runId?: string;
}

export interface OperationView {
  /** The root's status with its children's merged in. */
  status: OperationStatus;
  timeline: TimelineEntry[];
}

/**
 * The children that an operation started, and theirs, in the order of their start: read from the histories, since an id
 * alone may by now belong to a later operation. Runs that continued as new are followed back and on; of a child that did
 * so it is the last run, which knows all that those before it knew. Needs no worker.
 */
export async function findChildren(client: WorkflowClient, root: Execution): Promise<Execution[]> {
  return (await readFamily(client, root)).children;
}

type History = Awaited<ReturnType<ReturnType<WorkflowClient['getHandle']>['fetchHistory']>>;

/** The last of the runs that the execution is one of, and the children of all of them. */
async function readFamily(
  client: WorkflowClient,
  execution: Execution,
): Promise<{ last: Execution; children: Execution[] }> {
  const { workflowId } = execution;
  const read = (runId: string | undefined): Promise<History> => client.getHandle(workflowId, runId).fetchHistory();
  const runs = [await read(execution.runId)];
  for (let before = continuedFrom(runs[0]); before; before = continuedFrom(runs[0])) runs.unshift(await read(before));
  let last = execution;
  for (let next = continuedAs(runs.at(-1)); next; next = continuedAs(runs.at(-1))) {
    last = { workflowId, runId: next };
    runs.push(await read(next));
  }
  const children: Execution[] = [];
  for (const { workflowExecution, workflowType } of runs.flatMap(startedIn)) {
    if (!workflowExecution?.workflowId) continue;
    const { workflowId: id, runId } = workflowExecution;
    const child: Execution = runId ? { workflowId: id, runId } : { workflowId: id };
    // Most of all histories are those of shards, which have no children and never continue.
    const isShard = (workflowType?.name as WorkflowType | undefined) === 'upgradeShard';
    const family = isShard ? { last: child, children: [] } : await readFamily(client, child);
    children.push(family.last, ...family.children);
  }
  return { last, children };
}

const startedIn = ({ events }: History) =>
  (events ?? []).flatMap((event) => event.childWorkflowExecutionStartedEventAttributes ?? []);
const continuedFrom = (run: History | undefined): string | undefined =>
  run?.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? undefined;
const continuedAs = (run: History | undefined): string | undefined =>
  run?.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;

/**
 * Reads an operation again and again: the root and the children that run, while of those that have ended the last
 * answer is kept. Queries are answered by a worker: without one each `read` rejects as the client does.
 */
export class OperationReader {
  readonly #client: WorkflowClient;
  readonly #root: Execution;
  readonly #known = new Map<string, { execution: Execution; view: OperationView; ended: boolean }>();
  readonly #lookedFor = new Set<string>();
  #historyRead = false;

  constructor(client: WorkflowClient, root: Execution) {
    this.#client = client;
    this.#root = root;
  }

  /**
   * @param options.thorough ask every child again, and look into the history for those that began and ended between two
   * reads: worth its cost for the last look
   */
  async read({ thorough = false }: { thorough?: boolean } = {}): Promise<OperationView> {
    // Those that had ended before the first look are in the history alone. Read before the root is asked: whoever is in
    // it and not among the children that the root then names has ended, and not begun in between.
    const pending = thorough || !this.#historyRead ? await findChildren(this.#client, this.#root) : [];
    this.#historyRead = true;
    const root = await this.#query(this.#root);
    const running = new Set(root.status.children);
    for (const workflowId of running) pending.push({ workflowId });
    // A quick shard may have come and gone since the last read, and is no running child any more. Looked for once: it
    // may as well have been upgraded by an earlier operation.
    for (const { shard, state } of root.status.shards) {
      const workflowId = shardId(rollingId(this.#root.workflowId, root.status.hop), shard);
      if ((state !== 'upgraded' && state !== 'stopped') || this.#lookedFor.has(workflowId)) continue;
      this.#lookedFor.add(workflowId);
      pending.push({ workflowId });
    }
    // One more look at those that ended since: their last words came after our last look.
    for (const { execution, ended } of this.#known.values()) if (!ended) pending.push(execution);
    const done = new Set<string>();
    for (let next = pending.shift(); next; next = pending.shift()) {
      const { workflowId } = next;
      const settled = !thorough && this.#known.get(workflowId)?.ended === true;
      if (workflowId === this.#root.workflowId || done.has(workflowId) || settled) continue;
      done.add(workflowId);
      const view = await this.#ifThere(next);
      if (view === undefined || view.status.startedAt < root.status.startedAt) continue;
      for (const id of view.status.children) {
        running.add(id);
        pending.push({ workflowId: id });
      }
      this.#known.set(workflowId, { execution: next, view, ended: !running.has(workflowId) });
    }
    const children = [...this.#known.values()].map(({ view }) => view);
    return {
      status: mergeStatuses(
        root.status,
        children.map(({ status }) => status),
      ),
      timeline: mergeTimelines([root.timeline, ...children.map(({ timeline }) => timeline)]),
    };
  }

  async #ifThere(execution: Execution): Promise<OperationView | undefined> {
    try {
      return await this.#query(execution);
    } catch (error) {
      // Listed by its parent before Temporal has started it.
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  async #query({ workflowId, runId }: Execution): Promise<OperationView> {
    const handle = this.#client.getHandle(workflowId, runId);
    // One after the other: of two questions at once to a run that has just ended one may get no answer at all, and fails
    // after 30 s (measured, Temporal CLI 1.5.1 with its worker on a busy machine: each second time).
    const status = await handle.query<OperationStatus>('status');
    return { status, timeline: await handle.query<TimelineEntry[]>('timeline') };
  }
}
