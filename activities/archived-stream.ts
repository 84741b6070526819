import type { SegmentHeader } from '../integrations/archive-segment.js';
import type { ArchiveStore } from '../integrations/archive-store.js';
import type { SealingKeys } from '../integrations/sealed.js';
import { lastOf, stretchesOf, type Segment } from '../model/archive.js';
import { RolloutError } from '../model/failures.js';

/** Bytes of the stream, as they arrived together. */
export interface ArchivedPiece {
  bytes: Buffer;
  /** Offset before the first of them. */
  after: number;
  /** Unix ms. */
  arrivedAt: number;
  /** That propagated them. */
  release: string;
  /** Nobody archived when what begins with them was written. */
  late?: SegmentHeader['late'];
}

/**
 * The stream behind an offset, up to and with another, each byte once. Where a segment was made part of a larger one since it was
 * listed, it goes on in that.
 *
 * @param segments which go on from one to the next, and reach from the one offset to the other
 * @throws RolloutError Damaged, naming the object; Unreachable, Unauthorized
 */
export async function* archivedStream(
  { archive, keys }: { archive: ArchiveStore; keys: SealingKeys },
  segments: readonly Segment[],
  { after, upTo = Infinity }: { after: number; upTo?: number },
): AsyncGenerator<ArchivedPiece, void, void> {
  if (segments.length === 0) return;
  const end = Math.min(upTo, lastOf({ segments }).end);
  let next = after + 1;
  for (let left = [...segments].reverse(); ;) {
    const segment = left.pop();
    if (!segment || next > end) return;
    if (segment.end < next) continue;
    let late: SegmentHeader['late'];
    try {
      // Read to its end, whatever of it is wanted: a segment is believed whole or not at all.
      for await (const part of archive.get(segment, keys)) {
        if (!('bytes' in part)) {
          ({ late } = part);
          continue;
        }
        const from = Math.max(next, part.first);
        const to = Math.min(end + 1, part.first + part.bytes.length);
        if (from >= to) continue;
        const bytes = part.bytes.subarray(from - part.first, to - part.first);
        yield { bytes, after: from - 1, arrivedAt: part.at, release: segment.release, ...(late ? { late } : {}) };
        next = to;
      }
    } catch (error) {
      const instead = isDamaged(error) ? await mergedMeanwhile(archive, segment, next) : undefined;
      if (!instead) throw error;
      left = instead.reverse();
    }
  }
}

const isDamaged = (error: unknown): boolean => error instanceof RolloutError && error.type === 'Damaged';

/** Where a segment is gone that others hold: those from the one with this byte on. */
async function mergedMeanwhile(archive: ArchiveStore, gone: Segment, next: number): Promise<Segment[] | undefined> {
  const segments = await archive.segments(gone.slots);
  if (segments.some(({ object }) => object === gone.object)) return undefined;
  const line = stretchesOf(segments).find((it) => it.line === gone.line && it.segments.some((one) => one.first <= next && next <= one.end)); // prettier-ignore
  return line?.segments.filter((it) => it.end >= next);
}
