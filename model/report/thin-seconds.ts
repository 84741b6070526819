import type { ProbeSecond } from '../evidence.js';

/**
 * At most `columns` points for a chart, whatever the length of the run. `place` puts a time (Unix s) on 0 … 1; what
 * falls into one column becomes its worst: the largest p50, p99 and max, `span`, `ok` and `failed` added up, and the time of the
 * second with the largest max, so that a peak stays where it was. A run that fits is left as it is.
 */
export function thinSeconds(
  seconds: readonly ProbeSecond[],
  columns: number,
  place: (t: number) => number,
): ProbeSecond[] {
  if (seconds.length <= columns) return [...seconds];
  const thinned = new Map<number, ProbeSecond>();
  for (const second of seconds) {
    const column = Math.min(columns - 1, Math.max(0, Math.floor(place(second.t) * columns)));
    const there = thinned.get(column);
    thinned.set(column, there ? worse(there, second) : second);
  }
  return [...thinned.values()].sort((a, b) => a.t - b.t);
}

function worse(a: ProbeSecond, b: ProbeSecond): ProbeSecond {
  return {
    t: b.max > a.max ? b.t : a.t,
    span: (a.span ?? 1) + (b.span ?? 1),
    ok: a.ok + b.ok,
    failed: a.failed + b.failed,
    p50: Math.max(a.p50, b.p50),
    p99: Math.max(a.p99, b.p99),
    max: Math.max(a.max, b.max),
  };
}
