import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { failures } from '../../model/failures.js';
import type { OperationStatus } from '../../model/operation.js';
import type { TemporalAccess } from '../../workers/client.js';
import { Complaint, exitOf } from './complaint.js';
import { outcomeOf } from './outcome.js';
import { readWithin } from './read-status.js';

/** How long a worker may take to take it up, ms: a person at a terminal is told then that none has. */
const TAKEN_WITHIN_MS = 6000;
/** How long, from when one has, a refusal before anything is touched is waited for, ms: a crowded machine is slow. */
const REFUSED_WITHIN_MS = 20_000;
/** Events of a history before a worker has its first task: that it was started, and that the task is there. */
const UNTAKEN_EVENTS = 2;

/**
 * Waits until what was just started has been assessed, or is refused, or nothing was heard for long enough.
 *
 * @returns true when a worker has taken it up
 * @throws Complaint of what fails at once (an unknown deployment): this command's, not a later look's
 */
export async function settled(temporal: TemporalAccess, handle: WorkflowHandle): Promise<boolean> {
  let taken = false;
  for (let deadline = Date.now() + TAKEN_WITHIN_MS; Date.now() < deadline;) {
    const description = await handle.describe();
    const outcome = await outcomeOf(temporal, description);
    if (outcome?.failure !== undefined)
      throw new Complaint(exitOf(outcome.failure), outcome.statement, [failures[outcome.failure].next]);
    if (outcome) return true;
    const view = await readWithin(
      temporal,
      async () => ({ status: await handle.query<OperationStatus>('status'), timeline: [] }),
      Math.max(1, Math.min(2000, deadline - Date.now())),
    );
    // One that says how it ends is about to: that is the answer.
    if (typeof view !== 'string' && view.status.phase !== 'assessing' && !view.status.result) return true;
    // A worker that is busy with it answers no query, and its history tells of it.
    if (!taken && (view !== 'no worker' || description.historyLength > UNTAKEN_EVENTS)) {
      taken = true;
      deadline = Date.now() + REFUSED_WITHIN_MS;
    }
    await sleep(100);
  }
  return taken;
}
