import type { ClientName } from './clients.js';
import type { Method, Moved } from './methods.js';
import type { Written } from './writer.js';

/** One client's experience of one shard's upgrade. */
export interface Sample {
  method: Method;
  client: ClientName;
  from: string;
  to: string;
  failedOperations: number;
  failures: Record<string, number>;
  acknowledged: number;
  lost: number;
  /** From the command that moves the role until the other node is primary, as who gave it saw it, ms. */
  moveMs: number;
  /** Longest time without an acknowledged write while the role moved, ms. */
  writeGapMs: number;
  /** The same over the whole upgrade of the shard, restarts of its replica included. */
  wholeGapMs: number;
  /** The same before anything was done: what the machine itself costs. */
  quietGapMs: number;
  fellBack?: string;
}

export interface Spread {
  min: number;
  median: number;
  max: number;
}

export interface Row {
  method: Method;
  client: ClientName;
  from: string;
  to: string;
  runs: number;
  failedOperations: number;
  /** What the failed operations were rejected with. */
  failures: Record<string, number>;
  moveMs: Spread;
  writeGapMs: Spread;
  wholeGapMs: Spread;
  quietGapMs: Spread;
  acknowledged: number;
  lost: number;
  fellBack?: string;
}

/** How many times `safe`'s median gap. */
export interface Ratio {
  client: ClientName;
  from: string;
  to: string;
  method: Exclude<Method, 'safe'>;
  timesSafe: number;
}

/**
 * A gap counts that touches the time from so long before the move to so long after it, ms: clients hear of it a moment
 * later. The old primary's restart, which follows, is in the whole.
 */
const [BEFORE_MS, AFTER_MS] = [100, 200];

/**
 * The longest time between two acknowledgements, of those that touch the window.
 *
 * @param at Unix ms, ascending
 */
export function longestGap(at: readonly number[], from = -Infinity, until = Infinity): number {
  let longest = 0;
  for (let i = 1; i < at.length; i++) {
    const [before = 0, now = 0] = [at[i - 1], at[i]];
    if (now >= from && before <= until) longest = Math.max(longest, now - before);
  }
  return longest;
}

export function sampleOf(
  what: Pick<Sample, 'method' | 'client' | 'from' | 'to'>,
  written: Written,
  moved: Moved,
  begun: number,
  lost: number,
): Sample {
  const { at, failures, unanswered, acknowledged } = written;
  const all = { ...failures, ...(unanswered > 0 ? { 'never answered': unanswered } : {}) };
  return {
    ...what,
    failedOperations: Object.values(all).reduce((sum, count) => sum + count, 0),
    failures: all,
    acknowledged: acknowledged.length,
    lost,
    moveMs: moved.until - moved.from,
    writeGapMs: longestGap(at, moved.from - BEFORE_MS, moved.until + AFTER_MS),
    wholeGapMs: longestGap(at, begun),
    quietGapMs: longestGap(at, -Infinity, begun),
    ...(moved.fellBack === undefined ? {} : { fellBack: moved.fellBack }),
  };
}

/** One row for each method, client and pair of releases, in the order in which they came first. */
export function rowsOf(samples: readonly Sample[]): Row[] {
  const groups = new Map<string, Sample[]>();
  for (const it of samples) {
    const key = [it.from, it.to, it.method, it.client].join(' ');
    groups.set(key, [...(groups.get(key) ?? []), it]);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    const { method, client, from, to, fellBack } = first;
    const failures: Record<string, number> = {};
    for (const it of group)
      for (const [what, count] of Object.entries(it.failures)) failures[what] = (failures[what] ?? 0) + count;
    const sum = (of: (it: Sample) => number): number => group.reduce((total, it) => total + of(it), 0);
    return {
      method,
      client,
      from,
      to,
      runs: group.length,
      failedOperations: sum((it) => it.failedOperations),
      failures,
      moveMs: spread(group.map((it) => it.moveMs)),
      writeGapMs: spread(group.map((it) => it.writeGapMs)),
      wholeGapMs: spread(group.map((it) => it.wholeGapMs)),
      quietGapMs: spread(group.map((it) => it.quietGapMs)),
      acknowledged: sum((it) => it.acknowledged),
      lost: sum((it) => it.lost),
      ...(fellBack === undefined ? {} : { fellBack }),
    };
  });
}

export function ratiosOf(rows: readonly Row[]): Ratio[] {
  return rows.flatMap(({ method, client, from, to, writeGapMs }) => {
    const safe = rows.find((it) => it.method === 'safe' && it.client === client && it.from === from && it.to === to);
    if (!safe || method === 'safe') return [];
    return { client, from, to, method, timesSafe: round(writeGapMs.median / safe.writeGapMs.median, 100) };
  });
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0, 10);
  return { min: at(0), median: at(0.5), max: at(1) };
}

const round = (value: number, parts: number): number => Math.round(value * parts) / parts;
