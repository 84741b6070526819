import { expect, test } from 'vitest';
import { awayAmong, readAccounts } from '../../../redis/topology.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';

test('a primary that hangs: the other shards keep their names, and the topology says who is missing', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', replicasEach: 0 });
  const seeds = cluster.nodes.map((node) => node.address).reverse();
  const [first, second, third] = cluster.nodes;
  if (!first || !second || !third) throw new Error('the sandbox has three nodes');

  await cluster.signal(first, 'SIGSTOP');
  const found = await readAccounts(cluster.endpoint(), seeds);
  const { shards, disagreements } = found.topology;
  expect(shards.map(({ name, primary }) => [name, primary.address])).toEqual([
    ['shard-2', second.address],
    ['shard-3', third.address],
  ]);
  expect(disagreements).toContainEqual(expect.stringContaining(first.address));
  expect(awayAmong(found)).toEqual([first.address]);
});
