// A scratch cluster that outlives its worker, lies on a disk, or is put to failures that it was never going to survive.
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { primaryDies, shardIsLost } from '../../activities/drill-failures.js';
import { ScratchCluster } from '../../activities/scratch-cluster.js';
import { serverFor } from '../../activities/server-for.js';
import type { SealedShard } from '../../model/backup-manifest.js';
import type { SlotRange } from '../../model/topology.js';
import { until } from '../../scripts/sandbox/cluster.js';

const { signal } = new AbortController();
const third = (n: number): SlotRange[] => [[Math.round((n * 16384) / 3), Math.round(((n + 1) * 16384) / 3) - 1]];
const shards = [0, 1, 2].map((n) => ({ shard: `shard-${n + 1}`, slots: third(n) }));
const homes = async (): Promise<string[]> => {
  const all = await Promise.all([tmpdir(), '/dev/shm'].map((folder) => readdir(folder).catch(() => [] as string[])));
  return all.flat().filter((name) => name.startsWith(`redis-rollout-scratch-${process.pid}-`));
};
const start = async (release: string, of: { shard: string; slots: SlotRange[] }[] = shards) => {
  const server = await serverFor(release, {});
  if (!server) throw new Error(`no server of ${release} here: npm run setup`);
  return ScratchCluster.start({ ...server, shards: of, nodeTimeout: 1500, signal });
};
const sealed = (n: number): SealedShard => shards[n] as unknown as SealedShard;

test.each(['5.0', '7.2', '8.0', 'valkey-9.1'])(
  'of %s, its primary may die, and a whole shard be lost; nothing is left of it, and nothing came to a disk',
  async (release) => {
    const put = async () => {
      await using cluster = await start(release);
      expect(cluster.nodes).toHaveLength(6);
      await using node = await cluster.connect(cluster.nodes[0]?.address ?? '');
      await node.call('SET', '{3}kept', 'here'); // slot 1584: of shard-1

      await until('the replica has it', async () => {
        await using replica = await cluster.connect(cluster.nodes[1]?.address ?? '');
        return String(await replica.call('INFO', 'keyspace')).includes('keys=1');
      });
      const died = await primaryDies(cluster, sealed(0), 30_000);
      const lost = await shardIsLost(cluster, sealed(2), () => Promise.resolve(7));

      expect(died).toMatchObject({ result: 'passed' });
      expect(lost).toMatchObject({ result: 'passed' });
      expect(lost.found).toMatch(/^7 keys served again after /);
      const promoted = cluster.nodes[1];
      expect((await cluster.primaryOf('shard-1'))?.address).toBe(promoted?.address);
      await using replica = await cluster.connect(promoted?.address ?? '');
      expect(await replica.call('GET', '{3}kept')).toBe('here');
      const files = (await Promise.all(cluster.nodes.map(({ home }) => readdir(home)))).flat();
      return { files, inMemory: cluster.nodes.every(({ home }) => home.startsWith('/dev/shm/')) };
    };

    const { files, inMemory } = await put();

    // A replica of 5.0 takes its primary's snapshot by way of a file: in memory, then.
    const expected = ['nodes.conf', 'redis.conf', 'redis.log', ...(release === '5.0' && inMemory ? ['dump.rdb'] : [])];
    expect([...new Set(files)].sort()).toEqual(expected.sort());
    expect(await homes()).toEqual([]);
  },
);

test('two primaries elect nobody: it is said, and nobody is killed', async () => {
  const half = (from: number, to: number): SlotRange[] => [[from, to]];
  const two = [
    { shard: 'shard-1', slots: half(0, 8191) },
    { shard: 'shard-2', slots: half(8192, 16383) },
  ];
  await using cluster = await start('8.0', two);

  const died = await primaryDies(cluster, two[0] as unknown as SealedShard, 5000);

  expect(died).toEqual({ result: 'skipped', found: '2 primaries elect nobody; 3 are needed' });
  await cluster.formed();
});

test('a server that does not start says why, and leaves nothing', async () => {
  const begun = ScratchCluster.start({ program: '/bin/false', release: '8.0.6', shards, nodeTimeout: 1500, signal });
  await expect(begun).rejects.toMatchObject({ type: 'StartFailed' });
  expect(await homes()).toEqual([]);
});
