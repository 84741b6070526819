import type { ProbeGap, ProbeSecond } from '../../model/evidence.js';

/** Rows that one series keeps: about half an hour of single seconds, or a day of mostly quiet ones. */
const LIMIT = 2000;
const GAPS = 10;

/** The p-th percentile of ascending values, 0 for none. */
export const percentile = (ascending: readonly number[], p: number): number =>
  ascending[Math.max(0, Math.ceil((p / 100) * ascending.length) - 1)] ?? 0;

/** Keeps the ten longest, longest first. */
export function keepLongest(gaps: ProbeGap[], gap: ProbeGap): void {
  if (gaps.length === GAPS && gap.ms <= (gaps.at(-1)?.ms ?? 0)) return;
  const place = gaps.findIndex(({ ms }) => ms < gap.ms);
  gaps.splice(place < 0 ? gaps.length : place, 0, gap);
  gaps.length = Math.min(gaps.length, GAPS);
}

/**
 * Joins the quietest neighbours first until half the limit is left, so that a soak of a day stays small and every event
 * keeps its second. A joined row shows the greater of two percentiles: never better than it was.
 */
export function condense(rows: readonly ProbeSecond[], limit = LIMIT): ProbeSecond[] {
  let kept = [...rows];
  while (kept.length > limit / 2) {
    const pairs = kept
      .slice(1)
      .map((row, i) => ({ i, cost: loudness(kept[i] ?? row, row) }))
      .sort((a, b) => a.cost - b.cost);
    const joined = new Set<number>();
    // A quarter a round: joining all that can be joined would take the loud ones along.
    const wanted = Math.ceil(Math.min(kept.length - limit / 2, kept.length / 4));
    for (const { i } of pairs) {
      if (joined.size === wanted) break;
      if (!joined.has(i - 1) && !joined.has(i + 1)) joined.add(i);
    }
    kept = kept.flatMap((row, i) => (joined.has(i - 1) ? [] : joined.has(i) ? [join(row, kept[i + 1])] : [row]));
  }
  return kept;
}

/** Failures count as the loudest, and a time in which no probe ran must not be joined over before all else is. */
function loudness(a: ProbeSecond, b: ProbeSecond): number {
  if (b.t > a.t + (a.span ?? 1) + 1) return Number.MAX_VALUE;
  const of = (row: ProbeSecond): number => (row.failed > 0 ? 1e9 : row.max) * (1 + (row.span ?? 1) / 20);
  return Math.max(of(a), of(b));
}

/** `condense`, once there are too many. */
export const bounded = (rows: ProbeSecond[]): ProbeSecond[] => (rows.length > LIMIT ? condense(rows) : rows);

function join(a: ProbeSecond, b: ProbeSecond | undefined): ProbeSecond {
  if (b === undefined) return a;
  return {
    t: a.t,
    span: b.t + (b.span ?? 1) - a.t,
    ok: a.ok + b.ok,
    failed: a.failed + b.failed,
    p50: Math.max(a.p50, b.p50),
    p99: Math.max(a.p99, b.p99),
    max: Math.max(a.max, b.max),
  };
}
