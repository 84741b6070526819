/** The only primary of a cluster dies, nobody can vote, and a person promotes its replica. */
import { expect, test } from 'vitest';
import { until } from '../../../scripts/sandbox/cluster.js';
import { send } from '../verify/pair.js';
import { differences } from './followed.js';
import { Shard } from './shard.js';

test.each([
  ['8.0.6', '7.0.15'],
  ['8.0.6', '5.0.6'],
])('%s → %s: CLUSTER FAILOVER TAKEOVER, and the follower goes on', async (source, target) => {
  await using shard = await Shard.start(source, target, {
    compare: { ttlToleranceMs: 1000, keysPerSecond: 100_000, share: 1, restMs: 50 },
  });
  const [primary, replica] = shard.cluster.nodes;
  if (!primary || !replica) throw new Error('two nodes');
  shard.follower.start();
  await send(shard.cluster.endpoint(primary), [
    ['SET', 'a', 1],
    ['SET', 'b', 1, 'EX', 1000],
  ]);
  await shard.follower.drained();
  await shard.cluster.kill(primary);
  await until('the standby sees the cluster down', async () =>
    String(await shard.old.ask(shard.old.nodes[0]?.address ?? '', 'CLUSTER', 'INFO')).includes('cluster_state:fail'),
  );
  await shard.cluster.ask(replica.address, 'CLUSTER', 'FAILOVER', 'TAKEOVER');
  shard.nowPrimary(replica);
  await until('it takes writes', async () => {
    await shard.cluster.ask(replica.address, 'SET', 'c', '1');
    return true;
  });
  await shard.follower.drained(30_000);
  expect(shard.follower.state).toMatchObject({ phase: 'following', primary: replica.address });
  expect(await differences(shard.cluster.endpoint(replica), shard.standby, { asking: true })).toEqual([]);
});
