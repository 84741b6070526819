import { formatDuration } from './duration.js';

/** A node's clock against that of whoever read it, ms: only the difference of two readings of one reader means anything. */
export interface ClockReading {
  ms: number;
  /** Half the time that the question took, ms: it may be off by so much. */
  uncertaintyMs: number;
}

export interface ClockOff {
  address: string;
  /** Ahead of the other's (positive) or behind it, ms. */
  ms: number;
  /** Whose clock is the median, or the other of the two. */
  median: string;
}

/**
 * Nodes whose clock is further from the median than tolerated, for certain. The median is a node's own reading, the lower
 * of two: what is said of the difference is true whichever of them is wrong.
 */
export function clocksOff(readings: Readonly<Record<string, ClockReading>>, toleranceMs: number): ClockOff[] {
  const sorted = Object.entries(readings).sort(([, a], [, b]) => a.ms - b.ms);
  const [median, middle] = sorted[Math.floor((sorted.length - 1) / 2)] ?? [];
  if (median === undefined || middle === undefined) return [];
  return sorted.flatMap(([address, clock]) => {
    const off = clockOffFrom({ address, clock }, { address: median, clock: middle }, toleranceMs);
    return off ? [off] : [];
  });
}

/** One clock beside another, both read by the same reader; undefined where the difference may be tolerated. */
export function clockOffFrom(
  of: { address: string; clock: ClockReading },
  other: { address: string; clock: ClockReading },
  toleranceMs: number,
): ClockOff | undefined {
  const ms = of.clock.ms - other.clock.ms;
  const certain = Math.abs(ms) - of.clock.uncertaintyMs - other.clock.uncertaintyMs;
  // Written so that a number which is none is told.
  if (certain <= toleranceMs) return undefined;
  return { address: of.address, ms: Math.round(ms), median: other.address };
}

/** `the clock of a:1 is 30s ahead of b:1's` */
export const clockText = ({ address, ms, median }: ClockOff): string =>
  `the clock of ${address} is ${formatDuration(Math.abs(ms))} ${ms > 0 ? 'ahead of' : 'behind'} ${median}'s`;

/** Expiries are points in time, and each node goes by its own clock (expire.c, since 2.6). */
export const clockHarm = ({ address, ms }: ClockOff): string =>
  ms > 0
    ? `as a primary, ${address} drops keys ${formatDuration(ms)} before their time`
    : `as a primary, ${address} keeps keys ${formatDuration(-ms)} beyond their time`;
