import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowExecutionDescription } from '@temporalio/client';
import type { TemporalAccess } from '../../../workers/client.js';
import type { OperationView } from '../../../workers/read-operation.js';
import type { Retry } from '../../../workers/read-retries.js';
import { outcomeOf, waitsForPerson, type Outcome } from '../outcome.js';
import { readWithin } from '../read-status.js';
import { isConnectionLost, isServiceError, reasonOf } from '../temporal.js';

/** What one look has found. */
export interface Seen extends OperationView {
  /** What fails at the moment and is tried again. */
  retries: readonly Retry[];
}

/** Where what is seen goes: a screen, lines, or JSON. */
export interface Watcher {
  /** At every look, also when nothing has changed. */
  seen(view: Seen): void;
  /** Nothing can be seen at the moment, and why; looking goes on. */
  blind(why: string): void;
  /** Nothing more will be seen. */
  close(): void;
}

export interface FollowOptions {
  intervalMs: number;
  exitWhenWaiting: boolean;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}

export type Followed =
  { end: 'ended'; outcome: Outcome; view: Seen | undefined } | { end: 'waiting'; view: Seen } | { end: 'left' };

/** Looks at an operation until it ends, waits for a person where that is asked for, or the person leaves. */
export async function follow(
  temporal: TemporalAccess,
  workflowId: string,
  watcher: Watcher,
  { intervalMs, exitWhenWaiting, signal }: FollowOptions,
): Promise<Followed> {
  const { OperationReader } = await import('../../../workers/read-operation.js');
  const { withLive } = await import('../../../workers/live-status.js');
  const { RetryReader } = await import('../../../workers/read-retries.js');
  const retryReader = new RetryReader(temporal.client.workflow);
  const first = await temporal.client.workflow.getHandle(workflowId).describe();
  const chain = first.raw.workflowExecutionInfo?.firstRunId;
  let reader = new OperationReader(temporal.client.workflow, { workflowId, runId: first.runId });
  let last: WorkflowExecutionDescription = first;
  while (!signal.aborted) {
    try {
      const now = await temporal.client.workflow.getHandle(workflowId).describe();
      const same = now.raw.workflowExecutionInfo?.firstRunId === chain;
      // Another operation has taken the id since: ours is told to its end, not the other's.
      const description: WorkflowExecutionDescription = same
        ? now
        : await temporal.client.workflow.getHandle(workflowId, last.runId).describe();
      if (description.runId !== last.runId)
        reader = new OperationReader(temporal.client.workflow, { workflowId, runId: description.runId });
      last = description;
      const outcome = await outcomeOf(temporal, description);
      const seen = await readWithin(temporal, () => reader.read({ thorough: outcome !== undefined }));
      const retries = outcome ? [] : await retryReader.read({ workflowId, runId: description.runId });
      const view =
        typeof seen === 'string'
          ? undefined
          : { ...seen, status: withLive(seen.status, description, temporal.client.workflow), retries };
      if (view) watcher.seen(view);
      if (outcome) return { end: 'ended', outcome, view };
      if (view && exitWhenWaiting && waitsForPerson(view.status)) return { end: 'waiting', view };
      if (seen === 'no worker') watcher.blind('no worker answers; start one with: rollout worker');
      if (seen === 'no status') watcher.blind('this operation has no status to tell');
    } catch (error) {
      if (!(await isServiceError(error))) throw error;
      const lost = await isConnectionLost(error);
      watcher.blind(lost ? `Temporal at ${temporal.address} does not answer; trying again` : reasonOf(error));
    }
    await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
  }
  return { end: 'left' };
}
