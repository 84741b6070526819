import { firstOf, lastOf, stretchesOf, type Segment, type Stretch } from './archive.js';

/** A time of a shard of which not every moment can be had. */
export interface ArchiveGap {
  /** Unix ms. */
  from: number;
  to: number;
  why: string;
}

/** One shard's part of the archive, for people. */
export interface Coverage {
  slots: string;
  /** From when until when, without a byte missing, Unix ms; the oldest first. */
  stretches: { line: string; from: number; to: number; first: number; end: number; segments: number }[];
  gaps: ArchiveGap[];
}

export function coverageOf(segments: readonly Segment[]): Coverage[] {
  const bySlots = new Map<string, Stretch[]>();
  for (const stretch of stretchesOf(segments))
    bySlots.set(stretch.slots, [...(bySlots.get(stretch.slots) ?? []), stretch]);
  return [...bySlots]
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .map(([slots, stretches]) => ({ slots, stretches: stretches.map(spanOf), gaps: gapsOf(stretches) }));
}

function spanOf(stretch: Stretch): Coverage['stretches'][number] {
  const [{ from, first }, { to, end }] = [firstOf(stretch), lastOf(stretch)];
  return { line: stretch.line, from, to, first, end, segments: stretch.segments.length };
}

/** Of one shard's stretches, in their order: the times between two of them, and those within in which nobody archived. */
function gapsOf(stretches: readonly Stretch[]): ArchiveGap[] {
  const found: ArchiveGap[] = [];
  for (const [i, stretch] of stretches.entries()) {
    const before = stretches[i - 1];
    if (before) found.push(...between(before, stretch));
    for (const { from, to } of awayIn(stretch.segments))
      found.push({
        from,
        to,
        why: 'nobody archived; what was written came later, and can be had by --before and --offset',
      });
  }
  return found;
}

function between(before: Stretch, after: Stretch): ArchiveGap[] {
  const [last, first] = [lastOf(before), firstOf(after)];
  const [from, to] = [last.to, first.from];
  if (to <= from) return [];
  if (before.line === after.line)
    return [{ from, to, why: `segments are missing, with offsets ${last.end + 1} to ${first.first - 1}` }];
  const goesOn = last.replid === first.replid && first.first > last.end;
  return [{ from, to, why: goesOn ? 'nobody archived, and no node kept what was written' : 'the shard went on with another history' }]; // prettier-ignore
}

/** When nobody archived what these go on with, in their order. */
export const awayIn = (segments: readonly Segment[]): { from: number; to: number }[] =>
  // What came then takes several segments where it is much.
  joined(segments.flatMap(({ away }) => away ?? []));

/** Times that overlap as one, in order. */
export function joined(times: readonly { from: number; to: number }[]): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = [];
  for (const { from, to } of [...times].sort((a, b) => a.from - b.from)) {
    const last = found.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else found.push({ from, to });
  }
  return found;
}
