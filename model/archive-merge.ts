import { stretchesOf, type Segment } from './archive.js';

const HOUR_MS = 3_600_000;
/** Of the stream, before compression: one that is asked for to a moment is read whole. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Segments that are to be made into one, each group in the order of its stream: of one hour (UTC), which is over, of one
 * history and one release. One that begins with what was written while nobody archived begins a group, so that its name says
 * so. What comes of it is in no group again.
 *
 * @param until what ended in the hour of this moment or later stays as it is, Unix ms
 */
export function mergeGroups(segments: readonly Segment[], until: number): Segment[][] {
  const groups: Segment[][] = [];
  for (const stretch of stretchesOf(segments)) {
    let group: Segment[] = [];
    let bytes = 0;
    for (const segment of stretch.segments) {
      if (hourOf(segment.to) >= hourOf(until)) break;
      const size = segment.end - segment.first + 1;
      if (!goesWith(group.at(-1), segment) || bytes + size > MOST_BYTES) {
        groups.push(group);
        [group, bytes] = [[], 0];
      }
      group.push(segment);
      bytes += size;
    }
    groups.push(group);
  }
  return groups.filter((group) => group.length > 1);
}

const hourOf = (ms: number): number => Math.floor(ms / HOUR_MS);

const goesWith = (before: Segment | undefined, segment: Segment): boolean =>
  before === undefined ||
  (segment.away === undefined &&
    hourOf(before.to) === hourOf(segment.to) &&
    before.replid === segment.replid &&
    before.release === segment.release);

/** What one is called that holds all of them. @throws Error where there is none */
export function mergedOf(group: readonly Segment[]): Omit<Segment, 'object'> {
  const [first, last] = [group[0], group.at(-1)];
  if (!first || !last) throw new Error('nothing is to be merged');
  const { slots, line, replid, release, away } = first;
  const { end, to } = last;
  return { slots, line, first: first.first, end, from: first.from, to, replid, release, ...(away ? { away } : {}) };
}
