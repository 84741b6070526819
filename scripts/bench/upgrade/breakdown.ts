import type { Span } from '../../sandbox/operation.js';

/** All activities of one type in an upgrade. */
export interface Kind {
  what: string;
  times: number;
  /** Together; of those at the same time each counts whole. */
  totalMs: number;
  longestMs: number;
}

/** The probe runs beside all of it. */
const beside = ['runProbe'];

/** Where the time went: by activity, and what lay between them (workflow tasks, waits, the start of children). */
export function breakdown(activities: readonly Span[], wallMs: number): Kind[] {
  const spans = activities.filter(({ what }) => !beside.includes(what));
  const kinds = new Map<string, Kind>();
  for (const { what, from, to } of spans) {
    const known = kinds.get(what) ?? { what, times: 0, totalMs: 0, longestMs: 0 };
    known.times++;
    known.totalMs += to - from;
    known.longestMs = Math.max(known.longestMs, to - from);
    kinds.set(what, known);
  }
  const between = Math.round(wallMs - covered(spans));
  return [
    ...[...kinds.values()].sort((a, b) => b.totalMs - a.totalMs),
    { what: 'between activities', times: 1, totalMs: between, longestMs: between },
  ];
}

/** Length of the union of the spans. */
function covered(spans: readonly { from: number; to: number }[]): number {
  let [sum, end] = [0, -Infinity];
  for (const { from, to } of [...spans].sort((a, b) => a.from - b.from)) {
    sum += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return sum;
}
