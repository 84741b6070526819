import { percentile } from '../../../redis/probe/rows.js';

/** Where a primary's stream was at a time, Unix ms. */
export interface Written {
  offset: number;
  at: number;
}

/**
 * How far what could be recovered was behind, right before each segment was stored, ms: since the first byte was written that
 * was not stored yet. What had no such byte tells nothing.
 *
 * @param written in order
 * @param stored in order, the first where it was before
 */
export function behindAt(written: readonly Written[], stored: readonly { end: number; at: number }[]): number[] {
  const found: number[] = [];
  let next = 0;
  for (const [i, { at }] of stored.entries()) {
    const before = stored[i - 1];
    if (!before) continue;
    while ((written[next]?.offset ?? Infinity) <= before.end) next++;
    // It was written after the last look that didn't see it.
    const since = written[next - 1]?.at ?? written[next]?.at;
    if (next < written.length && since !== undefined && since <= at) found.push(at - since);
  }
  return found;
}

export function spread(values: readonly number[]): { median: number; p99: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: percentile(sorted, 50), p99: percentile(sorted, 99), max: sorted.at(-1) ?? 0 };
}
