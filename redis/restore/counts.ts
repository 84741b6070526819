import { printable } from '../verify/values.js';

/** What came of a backup's keys so far. */
export interface RestoreCounts {
  /** Read of the backup, the ones that were not meant among them. */
  read: number;
  /** Those that were meant: the sum of the following ones. */
  selected: number;
  written: number;
  /** Was there already, and stays as it is. */
  kept: number;
  /** Had expired by now. */
  expired: number;
  /** Can't be held by the target at all; of those that were written what of them it can't, by kind. */
  refused: number;
  lacking: Record<string, { count: number; examples: string[] }>;
  /** Of values and keys as they lie in the backup. */
  bytes: number;
}

export const noCounts = (): RestoreCounts => ({
  ...{ read: 0, selected: 0, written: 0, kept: 0, expired: 0, refused: 0, lacking: {}, bytes: 0 },
});

export const copyOf = (counts: RestoreCounts): RestoreCounts => ({
  ...counts,
  lacking: Object.fromEntries(
    Object.entries(counts.lacking).map(([what, { count, examples }]) => [what, { count, examples: [...examples] }]),
  ),
});

const EXAMPLES = 5;

export function noteLack(counts: RestoreCounts, what: string, key?: Buffer): void {
  const found = (counts.lacking[what] ??= { count: 0, examples: [] });
  found.count++;
  if (key && found.examples.length < EXAMPLES) found.examples.push(printable(key));
}
