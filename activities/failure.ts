import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { RolloutError } from '../model/failures.js';

/**
 * The one place where an error becomes Temporal's: its type from the closed list, whether another try is worth it, and
 * the operator's next step. What is not ours is retried; neither its properties nor its cause go into the history, since
 * a Redis client's errors carry the command, and so the password of an AUTH.
 */
export class FailureInterceptor implements ActivityInboundCallsInterceptor {
  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    try {
      return await next(input);
    } catch (error) {
      throw toFailure(error);
    }
  }
}

export function toFailure(error: unknown): unknown {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (error instanceof RolloutError)
    return ApplicationFailure.create({
      type: error.type,
      nonRetryable: !error.retryable,
      message: error.message,
      details: [{ next: error.next }],
    });
  if (error instanceof Error && error.name === 'AbortError') return new CancelledFailure('cancelled');
  const message = error instanceof Error ? error.message : String(error);
  return ApplicationFailure.create({
    type: error instanceof Error ? error.name : 'Error',
    nonRetryable: false,
    message,
  });
}
