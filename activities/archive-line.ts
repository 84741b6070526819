import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../model/failures.js';
import { addressOf } from '../redis/connection.js';
import { ArchiveBuffer, type LinePlace } from './archive-buffer.js';
import { linkToAny, type Linked } from './archive-link.js';
import type { ArchiveEnd, ArchiveShard, ArchiveSource } from './archive-shard.js';
import { ArchiveUploads } from './archive-uploads.js';

/** As many segments may wait for the store as fit in here; one more is being filled. */
const SEGMENTS_WAITING = 4;
/** How often it is looked whether the slots are still the same, and whether a replica is there in place of the primary, ms. */
const LOOK_EVERY_MS = 10_000;
const STATE_EVERY_MS = 500;
const PATIENCE_MS = 60_000;
const LONGEST_PAUSE_MS = 2000;
/** What comes so long after it was written has no time that could be relied on to the second, ms. */
const LATE_MS = 1000;
/** After it was told to end, for what it holds, ms. */
const LAST_WORDS_MS = 20_000;

type Link = Exclude<Linked, { gap: string }>;

/**
 * Archives one line: from its place on, across broken links, nodes that go away, and failovers, until what follows can't be
 * had. Memory is bounded: while the store takes nothing, nothing more is read, and the server keeps it in its backlog.
 *
 * @param firstOnly ends with this once the line's first segment is stored
 * @throws RolloutError, as the store and the nodes; the signal's reason
 */
export async function archiveLine(
  options: ArchiveShard,
  place: LinePlace,
  { firstOnly }: { firstOnly?: ArchiveEnd } = {},
): Promise<ArchiveEnd> {
  const { shard, store, reopen, keys, sources, rollBytes, rollEveryMs, onState, signal } = options;
  const buffer = new ArchiveBuffer(place);
  const lastWords = new AbortController();
  const uploads = new ArchiveUploads(store, keys, lastWords.signal, reopen);
  let link: Link | undefined;
  let problem: string | undefined;
  /** When the stream last came, or was seen to have nothing more. */
  let alive = place.from;
  /** What is held reaches so far: without a link nobody knows what came since. */
  const asOf = (): number => (link ? Date.now() : alive);
  const roll = (): void => {
    const now = Date.now();
    const due = buffer.since !== undefined && now - buffer.since >= rollEveryMs;
    // Of a store that is slower than that, larger segments are asked, and fewer.
    if (due && uploads.bytes === 0) uploads.add(buffer.cut(asOf()));
  };
  const tell = (): void => {
    const since = uploads.since ?? buffer.since;
    const why = uploads.problem ?? problem;
    onState?.({
      ...{ shard, line: place.line },
      ...(link ? { node: addressOf(link.source.endpoint), role: link.source.role } : {}),
      stored: uploads.stored?.end ?? place.after.offset,
      behindMs: since === undefined ? 0 : Math.max(0, Date.now() - since),
      ...{ heldBytes: buffer.bytes + uploads.bytes, sealedBytes: uploads.sealedBytes },
      ...(why === undefined ? {} : { problem: why }),
    });
  };
  const timers = [setInterval(roll, Math.max(20, rollEveryMs / 5)), setInterval(tell, STATE_EVERY_MS)];
  const ended = async (): Promise<void> => {
    uploads.add(buffer.cut(asOf()));
    await uploads.below(0);
  };
  const isStored = (): boolean => firstOnly !== undefined && uploads.stored !== undefined;

  const read = async ({ source, attachment, position }: Link): Promise<ArchiveEnd | undefined> => {
    const { role, release } = source;
    const node = addressOf(source.endpoint);
    const { before: tookOver, offset } = position;
    const reading = { replid: attachment.answer.replid, release, node, role, ...(tookOver ? { tookOver } : {}) };
    const isLate = Date.now() - alive > LATE_MS && offset > buffer.point.offset;
    const late = isLate ? { late: { since: alive, upTo: offset } } : {};
    uploads.add(buffer.from({ ...reading, ...late }, isLate ? alive : Date.now()));
    let looked: ArchiveEnd | 'better' | undefined;
    const look = setInterval(() => {
      void better(source, sources).then((found) => {
        looked ??= found;
        if (looked !== undefined) attachment.close();
      });
    }, LOOK_EVERY_MS);
    const first = setInterval(() => {
      if (isStored()) attachment.close();
    }, 50);
    try {
      for await (const chunk of attachment.bytes()) {
        alive = Date.now();
        buffer.push(chunk, alive);
        problem = undefined;
        if (buffer.bytes >= rollBytes) uploads.add(buffer.cut(Date.now(), { anywhere: true }));
        await uploads.below(SEGMENTS_WAITING * rollBytes);
      }
    } catch (error) {
      // It was closed by whoever looked.
      if (looked === 'better' || isStored()) return undefined;
      if (looked) return looked;
      throw error;
    } finally {
      clearInterval(look);
      clearInterval(first);
    }
    return undefined;
  };

  try {
    for (let attempt = 0, since = performance.now(); ;) {
      signal.throwIfAborted();
      try {
        if (firstOnly && isStored()) {
          await ended();
          return firstOnly;
        }
        const found = await sources();
        if ('moved' in found) {
          await ended();
          return { kind: 'moved', why: found.moved };
        }
        const linked = await linkToAny(found, buffer.point, {
          patient: performance.now() - since < PATIENCE_MS,
          signal,
        });
        if ('gap' in linked) {
          await ended();
          return { kind: 'gap', why: `${shard} can't be archived on from ${buffer.point.offset}: ${linked.gap}` };
        }
        link = linked;
        attempt = 0;
        const end = await read(link);
        if (end) {
          await ended();
          return end;
        }
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof RolloutError) || !(error.retryable || error.type === 'NotCaughtUp')) throw error;
        problem = error.message;
      } finally {
        if (link) since = performance.now();
        link?.attachment.close();
        link = undefined;
        buffer.giveUpTail();
      }
      await sleep(Math.min(LONGEST_PAUSE_MS, 50 * 2 ** Math.min(attempt++, 10)), undefined, { signal }).catch(
        () => undefined,
      );
    }
  } catch (error) {
    if (signal.aborted) {
      // What has arrived is stored yet, if the store takes it soon.
      const timer = setTimeout(() => lastWords.abort(), LAST_WORDS_MS);
      await ended().catch(() => undefined);
      clearTimeout(timer);
    }
    throw error;
  } finally {
    for (const timer of timers) clearInterval(timer);
    lastWords.abort();
    tell();
  }
}

/** Does the stream end here, or is there a replica to read from in place of the primary? */
async function better(
  source: ArchiveSource,
  sources: ArchiveShard['sources'],
): Promise<ArchiveEnd | 'better' | undefined> {
  try {
    const found = await sources();
    if ('moved' in found) return { kind: 'moved', why: found.moved };
    return source.role === 'primary' && found[0]?.role === 'replica' ? 'better' : undefined;
  } catch {
    return undefined;
  }
}
