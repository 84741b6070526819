import { SERVER_BYTES, roomThere } from './drill-room.js';
import { formatSize } from './duration.js';

export interface CopySize {
  name: string;
  /** What each shard's primary uses in production, bytes. */
  shards: readonly number[];
  /** Of the slots, those that are copied, 0 to 1. */
  share: number;
  replicas: number;
}

/** The standby that each shard has while its upgrade is rehearsed. */
const STANDBYS = 1;

/**
 * Why a copy does not fit into the memory of a machine, with what to do; undefined where it does. Beside its nodes a shard
 * is loaded once more by a server that is thrown away, to see whether its snapshot can be.
 */
export function lacksRoom({ name, shards, share, replicas }: CopySize, freeBytes: number): string | undefined {
  const times = 1 + replicas + STANDBYS;
  const data = shards.reduce((sum, it) => sum + it, 0) * share;
  const spare = Math.max(0, ...shards) * share;
  const needed = Math.ceil(data * times + spare + shards.length * times * SERVER_BYTES);
  if (needed <= roomThere(freeBytes, undefined)) return undefined;
  return `a copy of ${name} needs ${formatSize(needed)} of memory on the worker's machine (${formatSize(Math.round(data))} of data, ${times} times: primaries, replicas and standbys; and the largest shard once more), and ${formatSize(freeBytes)} are free, of which nine tenths may be taken: copy a sample with --slots, or free some`;
}
