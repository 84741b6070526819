import type { ArchiveStore } from '../integrations/archive-store.js';
import type { SealingKeys } from '../integrations/sealed.js';
import type { Segment } from '../model/archive.js';

/** Bytes of the stream, as they arrived together. */
export interface ArchivedPiece {
  bytes: Buffer;
  /** Offset before the first of them. */
  after: number;
  /** Unix ms. */
  arrivedAt: number;
  /** That propagated them. */
  release: string;
}

/**
 * The stream behind an offset, up to and with another, each byte once.
 *
 * @param segments which go on from one to the next, and reach from the one offset to the other
 * @throws RolloutError Damaged, naming the object; Unreachable, Unauthorized
 */
export async function* archivedStream(
  { archive, keys }: { archive: ArchiveStore; keys: SealingKeys },
  segments: readonly Segment[],
  { after, upTo = Infinity }: { after: number; upTo?: number },
): AsyncGenerator<ArchivedPiece, void, void> {
  let next = after + 1;
  for (const segment of segments) {
    if (segment.end < next) continue;
    if (next > upTo) return;
    // Read to its end, whatever of it is wanted: a segment is believed whole or not at all.
    for await (const part of archive.get(segment, keys)) {
      if (!('bytes' in part)) continue;
      const from = Math.max(next, part.first);
      const to = Math.min(upTo + 1, part.first + part.bytes.length);
      if (from >= to) continue;
      const bytes = part.bytes.subarray(from - part.first, to - part.first);
      yield { bytes, after: from - 1, arrivedAt: part.at, release: segment.release };
      next = to;
    }
  }
}
