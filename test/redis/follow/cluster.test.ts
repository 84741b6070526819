/** A shard followed into a member without slots. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { EXPIRY_MARGIN_MS } from '../../../redis/standby/point.js';
import { setExpiriesRight } from '../../../redis/follow/expiries.js';
import { until } from '../../../scripts/sandbox/cluster.js';
import { everyType } from '../verify/every-type.js';
import { send } from '../verify/pair.js';
import { differences } from './followed.js';
import { Shard, slots } from './shard.js';

test.each([
  ['8.0.6', '5.0.6'],
  ['8.2.3', '6.2.14'],
  ['valkey-9.1.2', '7.0.15'],
])('%s → %s: every type', async (source, target) => {
  await using shard = await Shard.start(source, target);
  shard.follower.start();
  await send(shard.cluster.endpoint(), everyType());
  await shard.follower.drained();
  expect(await differences(shard.cluster.endpoint(), shard.standby, { asking: true })).toEqual([]);
});

test('the primary dies while it is followed, and its replica is elected', async () => {
  await using shard = await Shard.start('8.0.6', '5.0.6');
  const [first, second] = shard.cluster.nodes;
  if (!first || !second) throw new Error('two nodes');
  shard.follower.start();
  // One primary elects nobody: it is told to take over.
  for (let i = 0; i < 20; i++)
    await send(
      shard.cluster.endpoint(first),
      Array.from({ length: 500 }, (_, n) => ['INCR', `counter:${n}`]),
    );
  await shard.cluster.ask(first.address, 'WAIT', 1, 5000);
  await shard.cluster.kill(first);
  await until('it serves', async () => {
    await shard.cluster.ask(second.address, 'CLUSTER', 'FAILOVER', 'TAKEOVER').catch(() => undefined);
    return String(await shard.cluster.ask(second.address, 'ROLE')).startsWith('master');
  });
  shard.nowPrimary(second);
  for (let i = 0; i < 20; i++)
    await send(
      shard.cluster.endpoint(second),
      Array.from({ length: 500 }, (_, n) => ['INCR', `counter:${n}`]),
    );
  await shard.follower.drained();
  expect(await differences(shard.cluster.endpoint(second), shard.standby, { asking: true })).toEqual([]);
});

// What is on its way to the standby when the role moves fails there, and the follower begins anew.
test('the role moves while nobody follows: slots that the standby lost sight of are imported anew', async () => {
  await using shard = await Shard.start('8.0.6', '5.0.6');
  const [first, second] = shard.cluster.nodes;
  if (!first || !second) throw new Error('two nodes');
  const counted = Array.from({ length: 500 }, (_, n): [string, string] => ['INCR', `counter:${n}`]);
  await send(shard.cluster.endpoint(first), counted);
  await shard.cluster.ask(second.address, 'CLUSTER', 'FAILOVER', 'TAKEOVER');
  shard.nowPrimary(second);
  await until('the standby knows no owner of its slots', async () => {
    const info = String(await shard.old.ask(shard.old.nodes[0]?.address, 'CLUSTER', 'INFO'));
    return info.includes('cluster_slots_assigned:0');
  });
  await send(shard.cluster.endpoint(second), counted);
  shard.follower.start();
  await shard.follower.drained();
  expect(await differences(shard.cluster.endpoint(second), shard.standby, { asking: true })).toEqual([]);
});

test('expiries are set right slot by slot while writes go on, and put off again', async () => {
  await using shard = await Shard.start('8.0.6', '5.0.6');
  shard.follower.start();
  const primary = shard.cluster.endpoint();
  await send(
    primary,
    Array.from({ length: 20_000 }, (_, i) => ['SET', `key:${i}`, i, 'EX', 500 + (i % 1000)]),
  );
  let ended = false;
  const stopped = (): boolean => ended;
  const writing = (async () => {
    for (let round = 0; !stopped(); round++)
      await send(
        primary,
        Array.from({ length: 100 }, (_, i) => ['SET', `new:${round}:${i}`, i, 'PX', 900_000]),
      );
  })();
  try {
    await adjust(shard, 5000);
    await adjust(shard, EXPIRY_MARGIN_MS);
    await adjust(shard, 3000);
  } finally {
    ended = true;
    await writing;
  }
  await shard.follower.drained();
  expect(await differences(primary, shard.standby, { marginMs: 3000, asking: true })).toEqual([]);
});

// As a worker that dies in a cutover, and comes back later than keys are kept beyond their time.
test('a follower that was away for longer than the margin begins anew, and sets expiries right again before that is believed', async () => {
  await using shard = await Shard.start('8.0.6', '5.0.6');
  shard.follower.start();
  const primary = shard.cluster.endpoint();
  await send(
    primary,
    Array.from({ length: 1000 }, (_, i) => ['SET', `key:${i}`, i, 'EX', 500 + i]),
  );
  await adjust(shard, 500);
  await shard.follower.end();
  await sleep(1000);
  const again = adjust(shard, 500);
  shard.follower.start();
  await again;
  expect(shard.follower.state?.copies).toBe(1);
  await shard.follower.drained();
  expect(await differences(primary, shard.standby, { marginMs: 500, asking: true })).toEqual([]);
});

async function adjust(shard: Shard, marginMs: number): Promise<void> {
  await using standby = await shard.old.connect();
  await setExpiriesRight({ standby, record: shard.follower.record, slots, marginMs, withinMs: 60_000 });
}
