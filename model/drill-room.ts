import { formatSize } from './duration.js';

/** What a server needs beside its data, bytes: itself, buffers, the tables of its cluster. */
export const SERVER_BYTES = 10 * 1024 * 1024;
/** Of a key without its value, where the server did not say what it used, bytes. */
const KEY_BYTES = 100;
/** Of the memory that is free: others of this machine want some, too. */
const SHARE = 0.9;

/** A shard as its backup has it. */
export interface ShardSize {
  keys: number;
  rdbBytes: number;
  /** Of the server that wrote the snapshot, where it said so, bytes. */
  usedMemoryBytes?: number | undefined;
  /** Of its slots, those that are restored, 0 to 1. */
  share: number;
}

export interface RoomAsked {
  shards: readonly ShardSize[];
  /** Servers of the scratch cluster. */
  nodes: number;
  replicas: boolean;
  /** Does a replica take its primary's snapshot by way of a file (before 6.0)? */
  byFile: boolean;
}

/**
 * What a drill needs at its peak, bytes, by what the servers used that were backed up: each shard once or twice, and the
 * largest once more, whole. It is played back beside the cluster, where a point is restored; else a replica that has to begin
 * anew has as much of it under way.
 */
export function roomNeeded({ shards, nodes, replicas, byFile }: RoomAsked): { memoryBytes: number; diskBytes: number } {
  const sizes = shards.map(({ keys, rdbBytes, usedMemoryBytes, share }) => {
    const whole = Math.max(rdbBytes, usedMemoryBytes ?? rdbBytes + keys * KEY_BYTES);
    return { whole, restored: whole * share, rdbBytes };
  });
  const data = sizes.reduce((sum, { restored }) => sum + restored, 0) * (replicas ? 2 : 1);
  const spare = Math.max(0, ...sizes.map(({ whole }) => whole));
  return {
    memoryBytes: Math.round(data + spare + nodes * SERVER_BYTES),
    diskBytes: byFile ? Math.max(0, ...sizes.map(({ rdbBytes }) => rdbBytes)) : 0,
  };
}

/** What may be taken of a machine, bytes. @param most `drill.memory` of the deployment file */
export const roomThere = (freeBytes: number, most: number | undefined): number =>
  Math.floor(Math.min(freeBytes * SHARE, most ?? Infinity));

/** Why a drill does not fit, with what to do; undefined where it does. */
export function lacksMemory(
  neededBytes: number,
  { freeBytes, most, where }: { freeBytes: number; most: number | undefined; where: string },
): string | undefined {
  const there = roomThere(freeBytes, most);
  if (neededBytes <= there) return undefined;
  const why =
    most !== undefined && most <= freeBytes * SHARE
      ? 'by drill.memory'
      : `of the ${formatSize(freeBytes)} that are free`;
  return (
    `the drill needs about ${formatSize(neededBytes)} of memory, and may take ${formatSize(there)} of ${where} (${why}). ` +
    'Restore a part of it (--shards, --sample, --slots, or drill.sample), or have a worker with more memory hold it'
  );
}
