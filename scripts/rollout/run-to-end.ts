import type { WorkflowExecutionDescription } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { failures } from '../../model/failures.js';
import { TASK_QUEUE, type WorkflowType } from '../../model/names.js';
import type { TemporalAccess } from '../../workers/client.js';
import { Complaint, exitOf } from './complaint.js';
import { outcomeOf } from './outcome.js';
import { note } from './terminal.js';
import { clock } from './views/status-view.js';

/** How long a worker may take before it is said that there may be none, ms. */
const SILENCE = 6000;

export interface Short {
  type: WorkflowType;
  workflowId: string;
  input: { deployment: string };
  /** `a backup of orders`, as a sentence goes on. */
  what: string;
}

/** Starts a workflow that holds no lock, one at a time under its id. @throws Complaint refused where one runs */
export async function startShort(
  { client }: TemporalAccess,
  { type, workflowId, input, what }: Short,
): Promise<{ workflowId: string; runId: string }> {
  const { WorkflowExecutionAlreadyStartedError } = await import('@temporalio/client');
  try {
    const handle = await client.workflow.start(type, {
      ...{ workflowId, taskQueue: TASK_QUEUE, args: [input], staticSummary: what },
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    });
    return { workflowId, runId: handle.firstExecutionRunId };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const { startTime } = await client.workflow.getHandle(workflowId).describe();
    throw new Complaint('refused', `${what} is under way, since ${clock(startTime.toISOString())}`, [
      `See it: temporal workflow describe --workflow-id ${workflowId}`,
    ]);
  }
}

/** Waits for its result; what it failed with is a complaint of this command. Ctrl-C leaves it running. */
export async function resultOf<Result>(
  temporal: TemporalAccess,
  { workflowId, runId }: { workflowId: string; runId: string },
  onLook?: (description: WorkflowExecutionDescription) => Promise<void>,
): Promise<Result> {
  const handle = temporal.client.workflow.getHandle(workflowId, runId, { followRuns: false });
  const silentUntil = Date.now() + SILENCE;
  for (let said = false; ;) {
    const description = await handle.describe();
    if (description.status.name === 'COMPLETED') {
      const result = (await handle.result()) as Result & { result?: string; statement?: string };
      if (result.result === 'aborted') throw new Complaint('stopped', result.statement ?? 'it was aborted');
      return result;
    }
    const outcome = await outcomeOf(temporal, description);
    if (outcome?.failure !== undefined)
      throw new Complaint(stoppedUnless(exitOf(outcome.failure)), outcome.statement, [failures[outcome.failure].next]);
    if (outcome) throw new Complaint('stopped', outcome.statement);
    await onLook?.(description);
    // Of a workflow that nobody has taken there is its start, and the task for whoever takes it.
    if (!said && description.historyLength <= 2 && Date.now() > silentUntil) {
      note('No worker has taken it yet. It goes on as soon as one runs: rollout worker');
      said = true;
    }
    await sleep(250);
  }
}

const stoppedUnless = (exit: ReturnType<typeof exitOf>): ReturnType<typeof exitOf> =>
  exit === 'unexpected' ? 'stopped' : exit;
