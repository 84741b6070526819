import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArchiveStore } from '../integrations/archive-store.js';
import type { BackupStore } from '../integrations/backup-store.js';
import type { SealingKeys } from '../integrations/sealed.js';
import { runAfter, slotsKey, stretchesOf, type Segment } from '../model/archive.js';
import type { SealedShard } from '../model/backup-manifest.js';
import { RolloutError } from '../model/failures.js';
import { connect } from '../redis/connection.js';
import { readInfo } from '../redis/node.js';
import { feed } from '../redis/replication/feed.js';
import { Durations } from '../redis/replication/durations.js';
import { openSnapshot } from '../redis/snapshot.js';
import { archivedStream } from './archived-stream.js';
import { scratchServer, type ScratchServer } from './scratch-server.js';
import { serverForAll } from './server-for.js';

/** Longest that the scratch server may apply nothing, though it was sent something, ms. */
const STUCK_MS = 60_000;

export interface SnapshotAt {
  backups: BackupStore;
  archive: ArchiveStore;
  keys: SealingKeys;
  /** Id of the backup that it begins from, and the shard in it. */
  backup: string;
  shard: SealedShard;
  /**
   * Up to and with this one of the shard's stream: the snapshot's own, or a later one, where neither a command nor a
   * transaction is under way (as `resolvePoint` finds them).
   */
  offset: number;
  /** `platform.servers` of the deployment. */
  servers: Readonly<Record<string, string>>;
  /** `bytes` of the snapshot opened, of the stream applied, or of the new snapshot given on. */
  onProgress?: (progress: { doing: 'loading' | 'applying' | 'reading'; bytes: number; total?: number }) => void;
  signal: AbortSignal;
}

/**
 * A shard as it was at an offset, as a snapshot: in place of what `BackupStore.getShard` gives of the backup itself. A
 * scratch server on this machine loads the backup and replicates the archived stream up to there from this process, which
 * plays its primary; then it is asked for a snapshot as any replica is. What expires stays in it, with its time. Needs
 * memory for the shard; nothing lies on a disk.
 *
 * It is whole only once this has come to its end.
 *
 * @throws RolloutError Damaged, naming an object; MissingServer, StartFailed; Unreachable, Unauthorized; NotCaughtUp where the
 *   archive doesn't reach there
 */
export async function* snapshotAt(input: SnapshotAt): AsyncGenerator<Buffer, void, void> {
  const { backups, keys, backup, shard, offset, signal, onProgress } = input;
  if (offset === shard.offset) {
    let bytes = 0;
    for await (const chunk of backups.getShard(backup, shard, keys)) {
      bytes += chunk.length;
      onProgress?.({ doing: 'reading', bytes, total: shard.rdb.bytes });
      yield chunk;
    }
    return;
  }
  await using server = await serverAt(input);
  await using snapshot = await openSnapshot({
    from: server.endpoint,
    signal,
    onProgress: (progress) => onProgress?.({ doing: 'reading', ...progress }),
  });
  yield* snapshot.chunks();
}

/** Of the snapshot and of what the archive has behind it: who plays it back is to know all of it. */
export const releasesUpTo = async (input: SnapshotAt): Promise<string[]> =>
  releasesOf(input.shard, input.offset === input.shard.offset ? [] : await segmentsUpTo(input));

const releasesOf = ({ release }: SealedShard, segments: readonly Segment[]): string[] =>
  [release, ...segments.map((it) => it.release)].filter((it) => it !== undefined);

/** A scratch server that is what the shard was at the offset. To look at. */
export async function serverAt(input: SnapshotAt): Promise<ScratchServer & { release: string }> {
  const { backups, keys, backup, shard, offset, signal, onProgress } = input;
  const segments = await segmentsUpTo(input);
  const releases = releasesOf(shard, segments);
  const { release, program } = await serverForAll(releases, input.servers, `to play ${shard.shard} back with`);
  const password = randomBytes(16).toString('hex');
  let applied = 0;
  async function* stream(): AsyncGenerator<Buffer, void, void> {
    const durations = releases.some((it) => Durations.travelIn(it)) ? new Durations(shard.offset) : undefined;
    for await (const piece of archivedStream(input, segments, { after: shard.offset, upTo: offset })) {
      signal.throwIfAborted();
      applied += piece.bytes.length;
      onProgress?.({ doing: 'applying', bytes: applied, total: offset - shard.offset });
      yield durations?.settle(piece.bytes, piece) ?? piece.bytes;
    }
  }
  async function* rdb(): AsyncGenerator<Buffer, void, void> {
    let bytes = 0;
    for await (const chunk of backups.getShard(backup, shard, keys)) {
      bytes += chunk.length;
      onProgress?.({ doing: 'loading', bytes, total: shard.rdb.bytes });
      yield chunk;
    }
  }
  const primary = await feed({ after: shard, stream: stream(), password });
  let server: ScratchServer | undefined;
  const dispose = async (): Promise<void> => {
    await server?.[Symbol.asyncDispose]();
    await primary[Symbol.asyncDispose]();
  };
  try {
    const databases = 1 + Math.max(0, ...shard.databases.map(({ index }) => index));
    const running = { port: primary.port, password };
    server = await scratchServer({ program, rdb: rdb(), databases, primary: running, signal });
    const fed = await Promise.race([primary.fed, dead(server, signal)]);
    if (applied !== offset - shard.offset)
      throw new RolloutError(
        'NotCaughtUp',
        `the archive of ${shard.shard} ends at ${shard.offset + applied}, before ${offset}`,
      );
    await caughtUp(server, shard.offset + fed, signal);
    return { ...server, release, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function segmentsUpTo({ archive, backup, shard, offset }: SnapshotAt): Promise<Segment[]> {
  const run = runAfter(stretchesOf(await archive.segments()), shard, slotsKey(shard.slots));
  const last = run?.segments.at(-1)?.end;
  if (!run || last === undefined || last < offset || offset < shard.offset)
    throw new RolloutError(
      'NotCaughtUp',
      `${shard.shard} can't be had at offset ${offset}: backup ${backup} stands at ${shard.offset}, ` +
        (last === undefined ? 'and no archive goes on from there' : `and the archive goes on from there to ${last}`),
    );
  return run.segments.filter(({ first }) => first <= offset);
}

/** Rejects where the server has died; what it waits for would never come. */
async function dead({ process }: ScratchServer, signal: AbortSignal): Promise<never> {
  while (process.alive) {
    signal.throwIfAborted();
    await sleep(200);
  }
  throw await process.failed('has died while it was applying the archived stream');
}

async function caughtUp(server: ScratchServer, offset: number, signal: AbortSignal): Promise<void> {
  await using node = await connect(server.endpoint);
  let before = -1;
  for (let since = performance.now(); ;) {
    signal.throwIfAborted();
    const info = await readInfo(node, 'replication');
    const at = Number(info['slave_repl_offset']);
    if (at === offset && info['master_link_status'] === 'up') return;
    if (at !== before) [before, since] = [at, performance.now()];
    if (performance.now() - since > STUCK_MS)
      throw await server.process.failed(`was given the stream up to ${offset}, and stays at ${at}`);
    await sleep(20);
  }
}
