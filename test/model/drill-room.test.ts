// A drill that has the machine kill a server of the deployment, for want of memory.
import { describe, expect, test } from 'vitest';
import { lacksMemory, roomNeeded, roomThere, type ShardSize } from '../../model/drill-room.js';

const GB = 1024 ** 3;
const SERVER = 10 * 1024 ** 2;
const shard = (gigabytes: number, more: Partial<ShardSize> = {}): ShardSize => ({
  ...{ keys: 1000, rdbBytes: GB / 10, usedMemoryBytes: gigabytes * GB, share: 1 },
  ...more,
});
const asked = { nodes: 6, replicas: true, byFile: false };

describe('what a drill needs', () => {
  test('is each shard twice, the largest once more, and the servers themselves', () => {
    const { memoryBytes, diskBytes } = roomNeeded({ ...asked, shards: [shard(2), shard(3), shard(1)] });
    expect(memoryBytes).toBe(15 * GB + 6 * SERVER);
    expect(diskBytes).toBe(0);
  });
  test('is once without replicas, and of some slots their share; what is played back is whole all the same', () => {
    const shards = [shard(8, { share: 0.25 })];
    expect(roomNeeded({ ...asked, shards, nodes: 1, replicas: false }).memoryBytes).toBe(10 * GB + SERVER);
  });
  test('is estimated by the keys where the server did not say what it used, and never less than the snapshot', () => {
    const silent = shard(0, { usedMemoryBytes: undefined, keys: 1e6, rdbBytes: 1e9 });
    expect(roomNeeded({ ...asked, shards: [silent], nodes: 0, replicas: false }).memoryBytes).toBe(2 * 1.1e9);
    const odd = shard(0, { usedMemoryBytes: 1, rdbBytes: 1e9 });
    expect(roomNeeded({ ...asked, shards: [odd], nodes: 0, replicas: false }).memoryBytes).toBe(2e9);
  });
  test('is the largest snapshot on disk where a replica takes it by way of a file', () => {
    const shards = [shard(2, { rdbBytes: 5 }), shard(2, { rdbBytes: 7 })];
    expect(roomNeeded({ ...asked, shards, byFile: true }).diskBytes).toBe(7);
  });
});

describe('what is there', () => {
  test('is nine tenths of what is free, or less where the file says so', () => {
    expect(roomThere(10 * GB, undefined)).toBe(9 * GB);
    expect(roomThere(10 * GB, 4 * GB)).toBe(4 * GB);
    expect(roomThere(2 * GB, 4 * GB)).toBe(Math.floor(1.8 * GB));
  });
  test('that is too little is told with both figures, and with what to do', () => {
    const free = { freeBytes: 10 * GB, where: 'host-1' };
    expect(lacksMemory(9 * GB, { ...free, most: undefined })).toBeUndefined();
    const lack = lacksMemory(9 * GB + 1, { ...free, most: undefined });
    expect(lack).toMatch(
      /needs about 9\.0 GB .* may take 9\.0 GB of host-1 \(of the 10\.0 GB that are free\).*--sample/,
    );
    expect(lacksMemory(5 * GB, { ...free, most: 4 * GB })).toContain('4.0 GB of host-1 (by drill.memory)');
  });
});
