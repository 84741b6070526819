import type { TimelineEntry } from '../../../model/operation.js';

/** All steps of one kind in an upgrade. */
export interface Kind {
  what: string;
  times: number;
  /** Together; of steps at the same time each counts whole. */
  totalMs: number;
  longestMs: number;
}

/** Where the time went: by kind of step, and what lay between the steps (assessments, gates, looks, waits). */
export function breakdown(timeline: readonly TimelineEntry[], wallMs: number): Kind[] {
  const spans = timeline.flatMap(({ kind, text, at, until }) =>
    until === undefined ? [] : [{ what: kindOf(kind, text), from: Date.parse(at), to: Date.parse(until) }],
  );
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
    { what: 'between steps', times: 1, totalMs: between, longestMs: between },
  ];
}

const kindOf = (kind: TimelineEntry['kind'], text: string): string =>
  kind === 'handover' ? 'hand over' : kind === 'swap' ? 'stop and start' : text.replace(/ \d.*$/, '');

/** Length of the union of the spans. */
function covered(spans: readonly { from: number; to: number }[]): number {
  let [sum, end] = [0, -Infinity];
  for (const { from, to } of [...spans].sort((a, b) => a.from - b.from)) {
    sum += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return sum;
}
