import { RolloutError, type FailureType } from '../../model/failures.js';
import { exitCodes, type Exit } from './exit-codes.js';

/** What a person is told when a command can't do what was asked: what happened, where, and what to do now. */
export class Complaint extends Error {
  override readonly name = 'Complaint';
  constructor(
    readonly exit: Exit,
    message: string,
    /** What to do, one line each. */
    readonly next: readonly string[] = [],
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

const exits: Partial<Record<FailureType, Exit>> = {
  BadInput: 'usage',
  UnknownDeployment: 'usage',
  BadDeploymentFile: 'usage',
  BadTarget: 'usage',
  WrongWorkflowId: 'usage',
  MissingServer: 'usage',
  Degraded: 'refused',
  Fenced: 'refused',
  NoTemporal: 'unreachable',
  Unreachable: 'unreachable',
  NodeHung: 'unreachable',
  Unauthorized: 'unreachable',
  MissingPermission: 'unreachable',
  Stopped: 'stopped',
  DrillFailed: 'stopped',
  StandbyLost: 'stopped',
  Lost: 'stopped',
};

/** The exit code for a failure of the closed list, wherever it happened. */
export const exitOf = (type: FailureType): Exit => exits[type] ?? 'unexpected';

/** Any error as a complaint; one that nobody foresaw says how to see its stack. */
export function complaintOf(error: unknown): Complaint {
  if (error instanceof Complaint) return error;
  if (error instanceof RolloutError)
    return new Complaint(exitOf(error.type), error.message, [error.next], { cause: error });
  // From @clack/prompts and readline alike.
  if (error instanceof Error && error.name === 'AbortError') return new Complaint('interrupted', 'left with Ctrl-C');
  const text = error instanceof Error ? error.message : String(error);
  return new Complaint('unexpected', text, ['Run it again with ROLLOUT_DEBUG=1 to see where it comes from.'], {
    cause: error,
  });
}

/** `rollout: …`, what follows indented below. */
export function complaintText({ message, next }: Complaint): string {
  const [first = '', ...rest] = message.trimEnd().split('\n');
  return [`rollout: ${first}`, ...[...rest, ...next.flatMap((line) => line.split('\n'))].map((line) => `  ${line}`)]
    .map((line) => line.trimEnd())
    .join('\n');
}

/** With `--json`, on standard error: standard output has the answer or nothing. */
export function complaintJson({ exit, message, next }: Complaint) {
  return { error: { kind: exit, exitCode: exitCodes[exit].code, message, next } };
}
