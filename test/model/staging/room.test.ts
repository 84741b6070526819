// A copy that has the machine kill a server of the deployment, for want of memory.
import { expect, test } from 'vitest';
import { lacksRoom, type CopySize } from '../../../model/staging-room.js';

const GB = 1024 ** 3;
const copy: CopySize = { name: 'orders', shards: [2 * GB, GB], share: 1, replicas: 1 };
/** 3 GB of data three times, the larger shard once more, six nodes and three standbys. */
const needed = 11 * GB + 6 * 10 * 1024 ** 2;

test('nine tenths of what is free have to hold primaries, replicas, standbys, and the largest shard once more', () => {
  expect(lacksRoom(copy, Math.ceil(needed / 0.9) + 1)).toBeUndefined();
  expect(lacksRoom(copy, Math.floor(needed / 0.9) - 1)).toMatch(
    /^a copy of orders needs 11\.1 GB of memory.* copy a sample with --slots/,
  );
});

test('a sample needs its share, and each more replica as much as the data', () => {
  expect(lacksRoom({ ...copy, share: 1 / 16 }, GB)).toBeUndefined();
  expect(lacksRoom({ ...copy, share: 1 / 16 }, GB / 2)).toContain('192.0 MB of data, 3 times');
  expect(lacksRoom({ ...copy, replicas: 2 }, 13 * GB)).toContain('4 times');
});
