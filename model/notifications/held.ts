import type { OperationStatus, Waiting } from '../operation.js';

/** Somebody has to do something: told after this, ms. A gate that fails for a moment at a handover is no news. */
const FAILS_MS = 30_000;
/** It clears by itself, mostly, ms. */
const WAITS_MS = 600_000;

/** Has this held the operation for so long that people should know? Questions and pauses are told otherwise, and windows open. */
export function heldFor(waiting: Waiting, { gates }: OperationStatus, now: number): boolean {
  const ms = now - Date.parse(waiting.since);
  if (waiting.kind === 'worker') return ms >= FAILS_MS;
  if (waiting.kind !== 'gate' || waiting.name === 'window') return false;
  const fails = gates.some(({ gate, shard, verdict, overriddenBy }) => {
    const isIt = gate === waiting.name && (waiting.shard === undefined || shard === waiting.shard);
    return isIt && verdict.state === 'fail' && !overriddenBy;
  });
  return ms >= (fails ? FAILS_MS : WAITS_MS);
}
