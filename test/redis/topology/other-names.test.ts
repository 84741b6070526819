import { expect, test } from 'vitest';
import { observePrimaries, readAccounts } from '../../../redis/topology.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';

test('a seed written as localhost: every node goes by the address that the cluster announces', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0' });
  const [seed] = cluster.nodes;
  const { topology, accounts, memberAddresses } = await readAccounts(cluster.endpoint(), [`localhost:${seed?.port}`]);
  const announced = cluster.nodes.map((node) => node.address).sort();
  expect(accounts.map(({ node }) => node.address).sort()).toEqual(announced);
  expect(memberAddresses.sort()).toEqual(announced);
  const shard = topology.shards[0];
  expect(shard?.primary.address).toBe(seed?.address);
  expect(shard?.replicas.map((node) => node.replication?.primary)).toEqual([seed?.address]);
});

test('a primary that nobody can read, and that holds slots still, is observed as not reachable', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', replicasEach: 0 });
  const hung = cluster.nodes[2];
  if (!hung) throw new Error('the sandbox has three nodes');
  await cluster.signal(hung, 'SIGSTOP');
  const { accounts, memberAddresses } = await readAccounts(cluster.endpoint(), [cluster.nodes[0]?.address ?? '']);
  expect(memberAddresses).toContain(hung.address);
  const primaries = observePrimaries(accounts);
  expect(primaries).toHaveLength(3);
  expect(primaries.filter((it) => !it.reachable).map((it) => it.address)).toEqual([hung.address]);
});
