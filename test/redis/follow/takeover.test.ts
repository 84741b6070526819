/** The only primary of a cluster dies, nobody can vote, and a person promotes its replica. */
import { expect, test } from 'vitest';
import { setExpiriesRight } from '../../../redis/follow/expiries.js';
import { until } from '../../../scripts/sandbox/cluster.js';
import { send } from '../verify/pair.js';
import { differences } from './followed.js';
import { Shard, slots } from './shard.js';
import { usually } from '../../thorough.js';

const cases = [
  ['8.0.6', '5.0.6', 'afterwards'],
  ['8.0.6', '7.0.15', 'meanwhile'],
  ['8.0.6', '7.0.15', 'afterwards'],
] as const;

test.each(usually(1, cases))('%s → %s: CLUSTER FAILOVER TAKEOVER, followed %s', async (source, target, when) => {
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
  if (when === 'afterwards') await shard.follower.end();
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
  if (when === 'afterwards') shard.follower.start();
  await shard.follower.drained(30_000);
  await using standby = await shard.old.connect();
  const { record } = shard.follower;
  await setExpiriesRight({ standby, record, slots, marginMs: 500, withinMs: 30_000 });
  expect(shard.follower.state).toMatchObject({ phase: 'following', primary: replica.address });
  expect(await differences(shard.cluster.endpoint(replica), shard.standby, { asking: true, marginMs: 500 })).toEqual(
    [],
  );
});
