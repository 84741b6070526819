import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SegmentHeader } from '../integrations/archive-segment.js';
import type { ArchiveStore } from '../integrations/archive-store.js';
import type { SealingKeys } from '../integrations/sealed.js';
import { lastOf, lineId, runAfter, stretchesOf, type ArchiveState, type Standing } from '../model/archive.js';
import { RolloutError } from '../model/failures.js';
import { connect, type Endpoint } from '../redis/connection.js';
import { readPosition } from '../redis/replication/position.js';
import { linkToAny } from './archive-link.js';
import { archiveLine } from './archive-line.js';
import type { LinePlace } from './archive-buffer.js';

/** A node that the stream can be read from. */
export interface ArchiveSource {
  endpoint: Endpoint;
  role: SegmentHeader['role'];
  /** Of the shard's primary. */
  release: string;
}

export interface ArchiveShard {
  shard: string;
  /** As `slotsKey` writes them. */
  slots: string;
  store: ArchiveStore;
  /** The same, with the credentials of now. */
  reopen: () => Promise<ArchiveStore>;
  keys: SealingKeys;
  /** The shard's nodes, the best to read from first; or why there is no shard with these slots any more. */
  sources: () => Promise<ArchiveSource[] | { moved: string }>;
  /** Where backups of these slots stand, the newest first. */
  snapshots: () => Promise<Standing[]>;
  /** Somebody is about to take one. */
  snapshotComing: boolean;
  rollBytes: number;
  rollEveryMs: number;
  onState?: (state: ArchiveState) => void;
  signal: AbortSignal;
}

export type ArchiveEnd =
  /** No backup lies in what is archived: until one does, nothing can be recovered with it. It is to be called again. */
  | { kind: 'needsSnapshot'; why: string }
  /** What follows can't be had any more. Called again, it begins a line of its own. */
  | { kind: 'gap'; why: string }
  /** There is no shard with these slots any more. */
  | { kind: 'moved'; why: string };

/** How long a node of the shard may be away before what it may have kept is given up, ms. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 500;

/**
 * Archives a shard's stream for as long as it is let. What is in the store tells where to go on, and nothing else does: behind
 * its newest segment where a node still has what follows; else behind a backup; else from now on, and then a backup is asked
 * for. Nothing is ever skipped within a line.
 *
 * @throws RolloutError Unauthorized, MissingPermission, …; the signal's reason, once what it held is stored
 */
export async function archiveShard(options: ArchiveShard): Promise<ArchiveEnd> {
  const { shard, slots, store, signal } = options;
  const newest = stretchesOf(await store.segments(slots)).at(-1);
  let snapshots = await options.snapshots();
  const usable = newest !== undefined && snapshots.some((it) => runAfter([newest], it, slots) !== undefined);
  if (newest && !usable && !options.snapshotComing)
    return { kind: 'needsSnapshot', why: `no backup lies in what is archived of ${shard} yet` };
  // No node kept what is written. The backup that is coming changes that, and may come to its end before anything is read here.
  let bare = false;
  for (const since = performance.now(); ;) {
    signal.throwIfAborted();
    const patient = performance.now() - since < PATIENCE_MS;
    try {
      const sources = await options.sources();
      if ('moved' in sources) return { kind: 'moved', why: sources.moved };
      const goOn = async (points: Standing[]): Promise<Standing | undefined> => {
        for (const point of points) {
          const found = await linkToAny(sources, point, { patient, signal });
          if ('gap' in found) continue;
          found.attachment.close();
          return point;
        }
        return undefined;
      };
      const last = newest && lastOf(newest);
      if (last && (await goOn([standingOf(last)]))) {
        const place = { slots, line: last.line, after: standingOf(last), from: last.to };
        return await archiveLine(options, place);
      }
      const begun = { slots, line: lineId(Date.now(), randomBytes(4).toString('hex')), from: Date.now() };
      if (bare) snapshots = await options.snapshots();
      const behindBackup = await goOn(snapshots.slice(0, 3));
      if (behindBackup) return await archiveLine(options, { ...begun, after: behindBackup });
      const why = last
        ? `what follows ${last.end} was not kept by any node`
        : `nothing of ${shard} was archived before`;
      const { point, keeps } = await positionOf(sources);
      bare ||= !keeps;
      if (bare && !options.snapshotComing)
        return { kind: 'needsSnapshot', why: `${why}, and no node keeps what is written until a backup was taken` };
      if (!keeps || (bare && patient))
        throw new RolloutError('NotCaughtUp', `${shard} is archived from the backup on that is being taken`);
      const place: LinePlace = { ...begun, after: point };
      return await archiveLine(options, place, { firstOnly: { kind: 'needsSnapshot', why } });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RolloutError) || !(error.retryable || error.type === 'NotCaughtUp')) throw error;
      options.onState?.({
        ...{ shard, line: newest?.line ?? '', stored: newest ? lastOf(newest).end : 0 },
        ...{ behindMs: 0, heldBytes: 0, sealedBytes: 0, problem: error.message },
      });
    }
    await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
  }
}

const standingOf = ({ replid, end }: { replid: string; end: number }): Standing => ({ replid, offset: end });

/** Where the best of them is, and whether it keeps what follows: one that never had a replica does not. */
async function positionOf(sources: readonly ArchiveSource[]): Promise<{ point: Standing; keeps: boolean }> {
  const [best] = sources;
  if (!best) throw new RolloutError('Unreachable', 'no node of the shard can be read');
  await using node = await connect(best.endpoint);
  const { replid, offset, backlog } = await readPosition(node);
  return { point: { replid, offset }, keeps: backlog !== undefined };
}
