import type { ProbeGap } from '../evidence.js';
import type { TimelineEntry } from '../operation.js';
import { isWait, isWork, nameOf, spansOf, type Span } from './spans.js';

export interface ShardGap extends ProbeGap {
  shard: string;
}

/**
 * What was being done to the shard while its client waited: the innermost step, swap or handover that covers at least
 * half of the gap; failing that, the one that covers most of it; failing that, the phase that the shard, or else the
 * whole operation, was in. Undefined when nothing was recorded for that time. It names a coincidence in time, no proof:
 * a slow disk during a handover is blamed on the handover.
 */
export function causeOf(gap: ShardGap, timeline: readonly TimelineEntry[]): TimelineEntry | undefined {
  const near = timeline.filter((entry) => entry.shard === undefined || entry.shard === gap.shard);
  return causeAmong(gap, spansOf(near, Number.MAX_SAFE_INTEGER));
}

/** As `causeOf`, over spans that are there already: a report asks for thousands of gaps. */
export function causeAmong(gap: ShardGap, spans: readonly Span[]): TimelineEntry | undefined {
  const [from, to] = [gap.at, gap.at + gap.ms];
  const covered = (span: Span): number => {
    if (span.to === span.from) return span.from >= from && span.from <= to ? gap.ms : 0;
    return Math.max(0, Math.min(span.to, to) - Math.max(span.from, from));
  };
  const innermost = (candidates: readonly Span[]): TimelineEntry | undefined => {
    const touching = candidates.filter((span) => covered(span) > 0);
    const most = touching.filter((span) => covered(span) * 2 >= gap.ms);
    if (most.length > 0) return most.reduce((a, b) => (b.to - b.from < a.to - a.from ? b : a)).entry;
    if (touching.length > 0) return touching.reduce((a, b) => (covered(b) > covered(a) ? b : a)).entry;
    return undefined;
  };
  const own = spans.filter(({ entry }) => entry.shard === gap.shard);
  const whole = spans.filter(({ entry }) => entry.shard === undefined);
  return (
    innermost(own.filter(isWork)) ??
    innermost(own.filter((span) => span.entry.kind === 'phase' || isWait(span))) ??
    innermost(whole.filter((span) => span.entry.kind === 'phase' || isWork(span)))
  );
}

/** Did the probe's own process stand still for at least half of the gap? Then it says nothing of a server. */
export function isProbesOwn(gap: ProbeGap, stalls: readonly ProbeGap[] = []): boolean {
  return stalls.some((stall) => {
    const shared = Math.min(gap.at + gap.ms, stall.at + stall.ms) - Math.max(gap.at, stall.at);
    return shared * 2 >= gap.ms;
  });
}

/** `hand over to 10.0.0.5:6379 from 10.0.0.4:6379`, `rejoin (10.0.0.5:6379)`, `soaking`: the entry as half a sentence. */
export function nameEntry(entry: TimelineEntry): string {
  const { kind, node } = entry;
  const name = nameOf(entry);
  if (node === undefined || name.includes(node)) return name;
  return kind === 'handover' ? `${name} from ${node}` : `${name} (${node})`;
}
