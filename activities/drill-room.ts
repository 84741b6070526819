import { hostname } from 'node:os';
import { lacksMemory, roomNeeded, type ShardSize } from '../model/drill-room.js';
import { formatSize } from '../model/duration.js';
import type { DrillPart, ScratchShard } from '../model/drill-part.js';
import { overlap, slotCount } from '../model/topology.js';
import type { SealedShard } from '../model/backup-manifest.js';
import { RolloutError } from '../model/failures.js';
import { inParallel } from '../model/in-parallel.js';
import { diskAt, memoryHere } from '../platforms/process/room.js';
import { RdbReader } from '../redis/rdb/reader.js';
import { scratchPlace } from './scratch-cluster.js';

const AT_ONCE = 8;

/** The target may be away for some minutes; that says nothing of what lies in it. */
export const isOfTheStore = ({ type }: RolloutError): boolean => type === 'Unreachable' || type === 'Unauthorized';

export interface RoomFor {
  shards: readonly SealedShard[];
  part: DrillPart | undefined;
  /** Of the scratch cluster. */
  cluster: readonly ScratchShard[];
  release: string;
  /** `drill.memory` of the deployment file, bytes. */
  most: number | undefined;
  /** The shard's snapshot, as its backup has it. */
  open: (shard: SealedShard) => AsyncIterable<Buffer>;
}

/**
 * Looks before anything is started: a server that is killed for want of memory may be one of the deployment's.
 *
 * @returns bytes
 * @throws RolloutError NoMemory, NoSpace, with what is needed and what is there; whatever `open` throws
 */
export async function expectRoom(input: RoomFor): Promise<{ neededBytes: number; freeBytes: number }> {
  const { shards, part, cluster, release, most } = input;
  const { parent, replicas, byFile } = await scratchPlace(release);
  const sizes: ShardSize[] = [];
  await inParallel(shards, AT_ONCE, async (shard) => {
    const { keys, rdb, slots } = shard;
    const share = part?.slots ? overlap(slots, part.slots) / Math.max(1, slotCount(slots)) : 1;
    sizes.push({ keys, rdbBytes: rdb.bytes, usedMemoryBytes: await usedMemory(input.open(shard)), share });
  });
  const nodes = cluster.reduce((sum, { alone }) => sum + (replicas && !alone ? 2 : 1), 0);
  const { memoryBytes, diskBytes } = roomNeeded({ shards: sizes, nodes, replicas, byFile });
  const { free: freeBytes } = memoryHere();
  const lack = lacksMemory(memoryBytes, { freeBytes, most, where: `the worker’s machine ${hostname()}` });
  if (lack !== undefined) throw new RolloutError('NoMemory', lack);
  const disk = await diskAt(parent);
  if (diskBytes > disk.free)
    throw new RolloutError(
      'NoSpace',
      `the drill needs ${formatSize(diskBytes)} in ${parent} of ${hostname()}, and ${formatSize(disk.free)} are free: a replica of ${release} takes its primary’s snapshot by way of a file there`,
    );
  return { neededBytes: memoryBytes, freeBytes };
}

/**
 * Of the server that wrote the snapshot, as that says at its beginning; the rest is not read. Undefined where it does not say
 * so, or can't be read: that is for the restore to find.
 */
async function usedMemory(snapshot: AsyncIterable<Buffer>): Promise<number | undefined> {
  const reader = new RdbReader({});
  try {
    for await (const chunk of snapshot)
      for (const record of reader.read(chunk)) {
        if (record.kind !== 'aux') return undefined;
        if (record.name === 'used-mem') return Number(record.value) || undefined;
      }
  } catch (error) {
    if (!(error instanceof RolloutError) || isOfTheStore(error)) throw error;
  }
  return undefined;
}
