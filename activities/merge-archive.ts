import type { SegmentHeader, StreamRecord } from '../integrations/archive-segment.js';
import type { ArchiveStore } from '../integrations/archive-store.js';
import { damaged, type SealingKeys } from '../integrations/sealed.js';
import { coveredOf, stretchesOf, type Covered, type Segment } from '../model/archive.js';
import { mergedOf, mergeGroups } from '../model/archive-merge.js';
import { RolloutError } from '../model/failures.js';
import type { MergedSegments } from '../model/backup-work.js';
import { archivedStream, type ArchivedPiece } from './archived-stream.js';

export interface MergeArchive {
  archive: ArchiveStore;
  keys: SealingKeys;
  /** What ended in the hour of this moment or later stays as it is, Unix ms. */
  until: number;
  onProgress?: (merged: MergedSegments) => void;
  signal: AbortSignal;
}

/**
 * Makes larger segments of small ones, one after the other. The larger one is whole in the target, read back and compared before
 * the small ones go. So whoever lists in between finds every byte, in one or in both; and an attempt that died goes on
 * from what is there. Nobody has to be shut out: two at once, or one that wakes late, write what holds the same, and a segment
 * goes only for one that holds all of it.
 *
 * @throws RolloutError Damaged, naming an object, once all others are done; Unreachable, Unauthorized, NoSpace
 */
export async function mergeArchive(input: MergeArchive): Promise<MergedSegments> {
  const { archive, keys, until, onProgress, signal } = input;
  const merged: MergedSegments = { segments: 0, into: 0, bytes: 0 };
  const damages: RolloutError[] = [];
  const each = async (act: () => Promise<void>): Promise<void> => {
    signal.throwIfAborted();
    try {
      await act();
    } catch (error) {
      if (!(error instanceof RolloutError) || error.type !== 'Damaged') throw error;
      damages.push(error);
    }
  };
  // What an earlier attempt has not come to first: otherwise a user who may not remove anything would have all twice.
  const remove = async ({ by, segments }: Covered): Promise<void> => {
    if (await isLocked(archive, segments)) return;
    merged.segments += await removeCovered(input, { by, segments });
    merged.into += 1;
    merged.bytes += by.end - by.first + 1;
    onProgress?.(merged);
  };
  const listed = await archive.segments();
  for (const covered of coveredOf(listed)) await each(() => remove(covered));
  for (const group of mergeGroups(listed, until))
    await each(async () => {
      if (await isLocked(archive, group)) return;
      const by = await archive.putMerged(mergedOf(group), { parts: partsOf(input, group), keys });
      await remove({ by, segments: group });
    });
  // Others may have pruned or merged it meanwhile.
  for (const damage of damages) if (!(await archive.lacks(damage))) throw damage;
  return merged;
}

/** What can't be removed yet would only lie there twice. The last one is locked for longest. */
const isLocked = async (archive: ArchiveStore, segments: readonly Segment[]): Promise<boolean> => {
  const last = segments.at(-1);
  return last !== undefined && (await archive.lockedUntil(last)) !== undefined;
};

/** Of segments that go on from one to the next, or overlap: each byte once. */
async function* partsOf(
  { archive, keys, signal }: MergeArchive,
  segments: readonly Segment[],
): AsyncGenerator<SegmentHeader | StreamRecord, void, void> {
  let next = segments[0]?.first ?? 0;
  for (const segment of segments) {
    signal.throwIfAborted();
    let header: SegmentHeader | undefined;
    for await (const part of archive.get(segment, keys)) {
      if (!('bytes' in part)) {
        header = part;
        continue;
      }
      const known = Math.max(0, next - part.first);
      if (known >= part.bytes.length) continue;
      if (header) yield known === 0 && header.first === next ? header : { ...header, first: next, aligned: false };
      header = undefined;
      const bytes = part.bytes.subarray(known);
      yield { at: part.at, first: next, bytes };
      next += bytes.length;
    }
  }
}

/** @returns how many are gone. @throws RolloutError Damaged where they hold something else; nothing is removed then */
async function removeCovered(
  { archive, keys, signal }: MergeArchive,
  { by, segments: covered }: Covered,
): Promise<number> {
  for (const { segments } of stretchesOf(covered)) {
    const [first] = segments;
    if (!first) continue;
    const whole = archivedStream({ archive, keys }, [by], { after: first.first - 1 });
    if (!(await holds(whole, archivedStream({ archive, keys }, segments, { after: first.first - 1 }))))
      throw damaged(by.object, `it holds something else than ${first.object} and those behind it`);
    signal.throwIfAborted();
  }
  return (await archive.remove(covered)).removed;
}

/** Is every byte of the parts in the whole, at its place? Both are read to their end, so that they are authentic. */
async function holds(
  whole: AsyncGenerator<ArchivedPiece, void, void>,
  parts: AsyncIterable<ArchivedPiece>,
): Promise<boolean> {
  let held: ArchivedPiece | undefined;
  for await (const part of parts) {
    const end = part.after + part.bytes.length;
    for (let after = part.after; after < end;) {
      while (!held || held.after + held.bytes.length <= after) {
        const next = await whole.next();
        if (next.done === true) return false;
        held = next.value;
      }
      const from = after - held.after;
      const length = Math.min(held.bytes.length - from, end - after);
      const own = part.bytes.subarray(after - part.after, after - part.after + length);
      if (from < 0 || !held.bytes.subarray(from, from + length).equals(own)) return false;
      after += length;
    }
  }
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- read to its end
  for await (const _ of whole) continue;
  return true;
}
