/** Fields of a hash that expire, where the standby's release knows such fields: they carry the margin as keys do. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { connect, type Endpoint, type NodeConnection } from '../../../redis/connection.js';
import { setExpiriesRight } from '../../../redis/follow/expiries.js';
import { readInfo } from '../../../redis/node.js';
import { freeze } from '../../../redis/standby/freeze.js';
import { EXPIRY_MARGIN_MS, followKey } from '../../../redis/standby/point.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { send } from '../verify/pair.js';
import { Follower } from './followed.js';

const replicated = (sandbox: Sandbox): Promise<void> =>
  until('it follows', async () => {
    await using connection = await sandbox.connect();
    return (await readInfo(connection, 'replication'))['master_link_status'] === 'up';
  });

/** What is later at the standby than at the primary, in ms, of each of these fields; 0 where neither expires. */
async function margins(primary: Endpoint, standby: Endpoint, fields: Record<string, string[]>): Promise<Set<number>> {
  await using a = await connect(primary);
  await using b = await connect(standby);
  const found = new Set<number>();
  for (const [key, names] of Object.entries(fields)) {
    const times = async (node: NodeConnection): Promise<number[]> =>
      (await node.call('HPEXPIRETIME', key, 'FIELDS', names.length, ...names)) as number[];
    const [here, there] = await Promise.all([times(a), times(b)]);
    for (const i of names.keys()) found.add(Number(there[i]) - Number(here[i]));
  }
  return found;
}

test.each([
  ['8.0.6', '8.2.3'],
  ['7.4.1', '8.0.6'],
])('%s, standby of %s: frozen, renewed, compared, set right for a cutover and back', async (older, newer) => {
  await using old = await Sandbox.servers(1, { release: older });
  await using a = await Sandbox.servers(1, { release: newer });
  await using b = await Sandbox.servers(1, { release: older });
  const [before, primary, standby] = [old.endpoint(), a.endpoint(), b.endpoint()];
  const many = Array.from({ length: 3000 }, (_, i) => `field:${i}`);
  await send(before, [
    ['HSET', 'small', 'goes', 1, 'stays', 2, 'is renewed', 3],
    ['HPEXPIRE', 'small', 600_000, 'FIELDS', 1, 'goes'],
    ['HSET', 'large', ...many.flatMap((it) => [it, 1])],
    ['HPEXPIRE', 'large', 700_000, 'FIELDS', 2000, ...many.slice(0, 2000)],
    ['HSET', 'plain', 'f', 1],
  ]);
  const [host, port] = [before.host, before.port];
  for (const replica of [primary, standby]) await send(replica, [['REPLICAOF', host, port]]);
  await Promise.all([replicated(a), replicated(b)]);
  await send(before, [['HPEXPIRE', 'small', 1000, 'FIELDS', 1, 'is renewed']]);
  await sleep(200);

  const record = followKey([]);
  await using frozen = await b.connect();
  await freeze(frozen, { endpoint: standby, key: record, standby: 'b' });
  await send(primary, [['REPLICAOF', 'NO', 'ONE']]);
  await send(primary, [
    ['HPEXPIRE', 'small', 300_000, 'FIELDS', 1, 'is renewed'],
    ['HSET', 'since', 'f', 1],
    ['HPEXPIRE', 'since', 400_000, 'FIELDS', 1, 'f'],
  ]);
  // By the standby's own clock the field would have ended before the follower brings that it was renewed.
  await sleep(1100);
  const compare = { ttlToleranceMs: 1000, keysPerSecond: 100_000, share: 1, restMs: 50 };
  const follower = new Follower({
    ...{ primary: () => Promise.resolve(primary), standby, source: newer, target: older, compare },
  }).start();
  try {
    await follower.drained();
    const all = { small: ['goes', 'is renewed'], large: many.slice(0, 2000), since: ['f'] };
    expect(await margins(primary, standby, all)).toEqual(new Set([EXPIRY_MARGIN_MS]));
    expect(await margins(primary, standby, { small: ['stays'], large: many.slice(2000), plain: ['f'] })).toEqual(
      new Set([0]),
    );
    const compared = () => follower.state?.comparison;
    await until('compared whole', () => (compared()?.passes ?? 0) >= 2);
    expect(compared()).toMatchObject({ found: 0, different: 0, notCompared: [] });
    await send(standby, [['HPERSIST', 'small', 'FIELDS', 1, 'goes']]);
    await until('what differs is put right', () => compared()?.repaired === 1);
    expect(compared()).toMatchObject({ found: 1, different: 0 });

    const right = { standby: frozen, record, slots: [], withinMs: 30_000 };
    await setExpiriesRight({ ...right, marginMs: 5000 });
    expect(await margins(primary, standby, all)).toEqual(new Set([5000]));
    await setExpiriesRight({ ...right, marginMs: EXPIRY_MARGIN_MS });
    expect(await margins(primary, standby, all)).toEqual(new Set([EXPIRY_MARGIN_MS]));
    expect(await frozen.call('HLEN', 'small')).toBe(3);
  } finally {
    await follower.end();
  }
});
