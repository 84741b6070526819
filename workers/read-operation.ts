import { WorkflowNotFoundError, type WorkflowClient } from '@temporalio/client';
import type { OperationStatus, TimelineEntry } from '../model/operation.js';
import { rollingId, shardId } from '../model/names.js';
import { mergeStatuses, mergeTimelines } from './merge-family.js';
import { settleAll } from './settle-all.js';

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
 * The children that a run started, and theirs, in the order of their start: read from the histories, since an id
 * alone may by now belong to a later operation. Runs that continued as new are followed back. Needs no worker.
 */
export async function findChildren(client: WorkflowClient, root: Execution): Promise<Execution[]> {
  const children: Execution[] = [];
  let run: string | undefined = root.runId;
  do {
    const history = await client.getHandle(root.workflowId, run).fetchHistory();
    const events = history.events ?? [];
    const started = events.flatMap(
      (event) => event.childWorkflowExecutionStartedEventAttributes?.workflowExecution ?? [],
    );
    const here: Execution[] = [];
    for (const { workflowId, runId } of started) {
      if (!workflowId) continue;
      const child: Execution = runId ? { workflowId, runId } : { workflowId };
      here.push(child, ...(await findChildren(client, child)));
    }
    children.unshift(...here);
    run = events[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? undefined;
  } while (run);
  return children;
}

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
    const [status, timeline] = await settleAll([
      handle.query<OperationStatus>('status'),
      handle.query<TimelineEntry[]>('timeline'),
    ]);
    return { status, timeline };
  }
}
