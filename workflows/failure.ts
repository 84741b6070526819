import { ApplicationFailure } from '@temporalio/workflow';
import { failures, type FailureType } from '../model/failures.js';

/** Somebody asked for the end of the operation; it ends at the next safe point. */
export class Aborted extends Error {
  override readonly name = 'Aborted';
}

/** The operation went back to where it came from, as it was asked to; the message is its statement. */
export class FellBack extends Error {
  override readonly name = 'FellBack';
}

/** A gate of policy.fallbackWhen has not passed for so long that the upgrade is to be taken back. */
export class FallbackDue extends Error {
  override readonly name = 'FallbackDue';
  constructor(
    readonly gate: string,
    readonly since: string,
    reason: string,
  ) {
    super(reason);
  }
}

/** The operation can't go on: where it stands and what to do is in the message. */
export function stopped(message: string, cause?: unknown, type: FailureType = typeOf(cause)): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    nonRetryable: true,
    message,
    details: [{ next: failures[type].next }],
    ...(cause instanceof Error ? { cause } : {}),
  });
}

/** Why it can't go on is what the failure is called after. */
const typeOf = (cause: unknown): FailureType => {
  const type = failureTypeOf(cause);
  return type !== undefined && type in failures ? (type as FailureType) : 'Stopped';
};

/** What a child's failure says of how far it came, beside its reason. */
export interface Halted {
  /** Nothing was changed until then. */
  untouched: boolean;
  /** The release that it was to bring its nodes to, once it had found that out. */
  to: string;
}

/** How a workflow ends that didn't complete. */
export const ending = (type: string, message: string, { untouched, to }: Halted): ApplicationFailure =>
  ApplicationFailure.nonRetryable(message, type, {
    ...{ next: type in failures ? failures[type as FailureType].next : failures.Stopped.next, untouched, to },
  });

/** @returns undefined of a failure that is no child's of ours: it was terminated, for example */
export function haltedAt(error: unknown): Halted | undefined {
  const detail = firstOf(error)?.details?.[0] as Partial<Halted> | undefined;
  const { untouched, to } = detail ?? {};
  return untouched === undefined || to === undefined ? undefined : { untouched, to };
}

export const badInput = (type: 'BadInput' | 'WrongWorkflowId', message: string): ApplicationFailure =>
  ApplicationFailure.nonRetryable(message, type, { next: failures[type].next });

/** The first message of ours from the outside: Temporal wraps an activity's or a child's failure in one of its own. */
export function messageOf(error: unknown): string {
  let at: unknown = error;
  while (!(at instanceof ApplicationFailure) && at instanceof Error && at.cause instanceof Error) at = at.cause;
  return at instanceof Error ? at.message : String(at);
}

/** The type of the first application failure from the outside, `NotCaughtUp` for example. */
export const failureTypeOf = (error: unknown): string | undefined => firstOf(error)?.type ?? undefined;

function firstOf(error: unknown): ApplicationFailure | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if (at instanceof ApplicationFailure && at.type) return at;
  return undefined;
}
