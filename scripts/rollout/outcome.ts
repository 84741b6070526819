import type { WorkflowExecutionDescription } from '@temporalio/client';
import { failures, type FailureType } from '../../model/failures.js';
import type { OperationStatus } from '../../model/operation.js';
import type { TemporalAccess } from '../../workers/client.js';
import { isNoWorker, reasonOf } from './temporal.js';

/** How an operation ended. */
export interface Outcome {
  result: NonNullable<OperationStatus['result']>;
  /** Where everything stands, or what went wrong; empty of one that completed without a word. */
  statement: string;
  /** Of a failure of the closed list. */
  failure?: FailureType;
}

/** The outcome of a run that has ended; undefined while it runs. Needs no worker. */
export async function outcomeOf(
  { client }: TemporalAccess,
  { workflowId, runId, status }: Pick<WorkflowExecutionDescription, 'workflowId' | 'runId' | 'status'>,
): Promise<Outcome | undefined> {
  if (status.name === 'RUNNING' || status.name === 'CONTINUED_AS_NEW') return undefined;
  try {
    const returned: unknown = await client.workflow.getHandle(workflowId, runId, { followRuns: false }).result();
    const { result = 'completed', statement = '' } = (returned ?? {}) as Partial<OperationStatus>;
    return { result, statement };
  } catch (error) {
    if (await isNoWorker(error)) throw error;
    const { ApplicationFailure } = await import('@temporalio/common');
    // The outermost is the operation's own account; below it lies what an activity or a child said.
    const failure = causes(error).find((it) => it instanceof ApplicationFailure);
    const type = failure?.type;
    const words: Partial<Record<string, string>> = {
      TERMINATED:
        'It was terminated in Temporal: nothing was put back. Run `rollout plan` to see where the nodes stand.',
      CANCELLED: 'It was cancelled in Temporal.',
      TIMED_OUT: 'Its time in Temporal ran out.',
    };
    return {
      result: status.name === 'CANCELLED' ? 'aborted' : 'stopped',
      statement: words[status.name] ?? failure?.message ?? reasonOf(error),
      ...(isFailureType(type) ? { failure: type } : {}),
    };
  }
}

const causes = (error: unknown): unknown[] => (error instanceof Error ? [error, ...causes(error.cause)] : []);

const isFailureType = (type: string | null | undefined): type is FailureType =>
  type !== null && type !== undefined && type in failures;

/** Does it wait for somebody? A gate that waits will clear by itself; one that fails will not. */
export function waitsForPerson({ waiting, gates }: OperationStatus): boolean {
  return waiting.some(
    ({ kind, name }) =>
      kind === 'approval' ||
      kind === 'pause' ||
      (kind === 'gate' &&
        gates.some(({ gate, verdict, overriddenBy }) => gate === name && verdict.state === 'fail' && !overriddenBy)),
  );
}
