// The user that docs/requirements-and-limitations.md tells people to make may do everything that an upgrade needs: else
// the upgrade would stop in the middle, at the first command that nobody thought of.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFacts } from '../../activities/facts.js';
import { at, connect, type Endpoint } from '../../redis/connection.js';
import { readConfiguration } from '../../redis/configuration.js';
import { handOver } from '../../redis/handover.js';
import { backgroundSave, setDirective, shutDownReplica } from '../../redis/node.js';
import { missingPermissions, unknownCommands } from '../../redis/permissions.js';
import { readBackLedger, removeProbeKeys } from '../../redis/probe/read-back.js';
import { pullSnapshot } from '../../redis/snapshot.js';
import { readTopology } from '../../redis/topology.js';
import { verifyReplica } from '../../redis/verify/verify-replica.js';
import type { TopologyView } from '../../model/topology.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { documentedForStandby, documentedUser } from './documented-acl.js';
import { operations, scratch, startProbe } from './probe/probed-cluster.js';

const password = 'swordfish-of-rollout';
const line = documentedUser(password);
const standby = documentedForStandby;
/** As the page says: narrower keys from 7.0 on, and then without what repairs expiries. */
const narrow = line.replace(' ~* ', ' %R~* ~redis-rollout:* ').replace(' +eval +pexpireat', '');

const undertaking = { mode: 'fast', ttlRepair: true, probe: 'redis-rollout', username: 'rollout' } as const;

let cluster: Sandbox;
let user: Endpoint;
beforeAll(async () => {
  cluster = await Sandbox.cluster({
    release: '7.0',
    configuration: ['user default on nopass ~* &* +@all', line],
  });
  user = { ...cluster.endpoint(), username: 'rollout', password };
  const keys = await Promise.all(
    cluster.nodes.slice(0, 3).map(async (node) => {
      await using primary = await cluster.connect(node);
      // A key whose slot this primary serves is found by trying.
      for (let i = 0; ; i++)
        try {
          await primary.call('SET', `k${i}`, 'v', 'EX', 1000);
          await primary.call('HSET', `{k${i}}h`, 'f', 'v');
          await primary.call('XADD', `{k${i}}s`, '*', 'f', 'v');
          return i;
        } catch (error) {
          if (!(error as Error).message.startsWith('MOVED')) throw error;
        }
    }),
  );
  expect(keys).toHaveLength(3);
});
afterAll(() => cluster.stop());

test('the page has the line', () => {
  expect(line).toMatch(/^user rollout on >/);
  expect(narrow).toContain('%R~* ~redis-rollout:*');
});

test.each([
  ['with all keys', 0, () => line],
  ['with keys that it may only read', 1, () => narrow],
])(
  'everything an upgrade does, %s',
  async (_, which, rules) => {
    using place = scratch();
    for (const node of cluster.nodes) {
      await using admin = await cluster.connect(node);
      await admin.call('ACL', 'SETUSER', 'rollout', 'reset', ...rules().split(' ').slice(2));
      expect(await missingPermissions(await connect(at(user, node.address)), '7.0.15', undertaking)).toEqual([]);
    }
    const seeds = cluster.nodes.map(({ address }) => address);
    const topology = await settled(seeds);
    const facts = await readFacts({ connect: (address) => connect(at(user, address)) }, topology);
    expect(Object.values(facts.nodes).every(({ modules }) => modules !== undefined)).toBe(true);
    const shard = topology.shards[which];
    const [replica] = shard?.replicas ?? [];
    if (!shard || !replica) throw new Error('a shard with a replica expected');

    const folder = join(place.folder, 'probe');
    const shards = topology.shards.map(({ name, slots }) => ({ name, slots }));
    const policy = { rate: 50, prefix: 'redis-rollout' };
    const probe = await startProbe({ seeds, endpoint: user, shards, policy, folder });
    await operations(probe, 200);

    await using node = await connect(at(user, replica.address));
    expect((await readConfiguration(node)).acl.length).toBeGreaterThan(1);
    await setDirective(node, 'cluster-replica-no-failover', 'yes');
    await setDirective(node, 'cluster-replica-no-failover', 'no');
    await backgroundSave(node);
    const snapshot = await pullSnapshot({ from: at(user, replica.address), file: join(place.folder, 'shard.rdb') });
    expect(snapshot.keys).toBeGreaterThan(2);
    const compared = await verifyReplica({
      shard: shard.name,
      primary: at(user, shard.primary.address),
      replica: at(user, replica.address),
      mode: 'all',
      ttlToleranceMs: 1000,
    });
    expect(compared).toMatchObject({ different: 0, complete: true });
    const handover = { endpoint: user, siblings: [], nodes: seeds, confirmWithinMs: 20_000 };
    const moved = await handOver({ ...handover, from: shard.primary.address, to: replica.address, mode: 'fast' });
    expect(moved).toMatchObject({ mode: 'fast' });

    const { series } = await probe.stop();
    for (const { failures } of series) expect(failures).toEqual({});
    expect(await readBackLedger({ seeds, endpoint: user, folder })).toMatchObject({ lost: 0 });
    expect((await removeProbeKeys({ seeds, endpoint: user, folder })).removed).toBeGreaterThan(0);
  },
  600_000,
);

test.each([
  'config|set',
  'cluster|failover',
  'bgsave',
  'shutdown',
  'client|pause',
  'acl|list',
  'psync',
  'client|unpause',
  'cluster|slots',
  'zadd',
  'unlink',
])('without +%s it is named before anything is touched', async (permission) => {
  const [node] = cluster.nodes;
  if (!node) throw new Error('a node expected');
  await using admin = await cluster.connect(node);
  const rules = line.replace(` +${permission} `, ' ');
  expect(rules).not.toBe(line);
  await admin.call('ACL', 'SETUSER', 'rollout', 'reset', ...rules.split(' ').slice(2));
  await using connection = await connect(at(user, node.address));
  expect(await missingPermissions(connection, '7.0.15', undertaking)).toEqual([
    permission.toUpperCase().replace('|', ' '),
  ]);
});

describe('with standbys', () => {
  const withStandby = { ...undertaking, mode: 'safe', ttlRepair: false, standby: true } as const;
  const missing = async (sandbox: Sandbox, release: string, rules: string): Promise<string[]> => {
    await using admin = await sandbox.connect();
    await admin.call('ACL', 'SETUSER', 'rollout', 'reset', ...rules.split(' ').slice(2));
    await using connection = await connect({ ...sandbox.endpoint(), username: 'rollout', password });
    const found = await missingPermissions(connection, release, withStandby);
    // It was asked for harmlessly: the connection is as before, and the node's data, too.
    expect(await connection.call('PING')).toBe('PONG');
    return found;
  };

  test('everything that is needed is asked for, and nothing is done', async () => {
    await using admin = await cluster.connect();
    const size = await admin.call('DBSIZE');
    expect(await missing(cluster, '7.0.15', `${line} ${standby}`)).toEqual([]);
    expect(await admin.call('DBSIZE')).toBe(size);
    expect(await missing(cluster, '7.0.15', `${line} ${standby}`.replace(' ~* ', ' %R~* ~redis-rollout:* '))).toEqual([
      '~*',
    ]);
    await using connection = await connect({ ...cluster.endpoint(), username: 'rollout', password });
    expect(await unknownCommands(connection, withStandby)).toEqual([]);
  });

  test.each(standby.split(' ').map((it) => it.slice(1)))('without +%s it is named', async (permission) => {
    const rules = `${line} ${standby} `.replace(` +${permission} `, ' ').trimEnd();
    const name = permission.startsWith('@') ? permission : permission.toUpperCase().replace('|', ' ');
    expect(await missing(cluster, '7.0.15', rules)).toContain(name);
  });

  test('of 6.2 as well; what redis.conf hides is named before anything is touched', async () => {
    const older = line.replace(' +function|list', '');
    await using server = await Sandbox.servers(1, { release: '6.2', configuration: [older] });
    expect(await missing(server, '6.2.14', `${older} ${standby}`)).toEqual([]);
    expect(await missing(server, '6.2.14', `${older} ${standby.replace('+@write ', '')}`)).toEqual([
      'FLUSHALL',
      '@write',
    ]);
    await using hidden = await Sandbox.servers(1, {
      release: '5.0.6',
      configuration: ['rename-command FLUSHALL ""', 'rename-command REPLICAOF secret'],
    });
    await using connection = await hidden.connect();
    expect(await unknownCommands(connection, withStandby)).toEqual(['REPLICAOF', 'FLUSHALL']);
    await using named = await connect({ ...hidden.endpoint(), commands: { REPLICAOF: 'secret' } });
    expect(await unknownCommands(named, withStandby)).toEqual(['FLUSHALL']);
  });
});

test('without the probe’s keys they are named, once; without acl|dryrun nothing is claimed', async () => {
  const [node] = cluster.nodes;
  if (!node) throw new Error('a node expected');
  const missing = async (rules: string): Promise<string[]> => {
    await using admin = await cluster.connect(node);
    await admin.call('ACL', 'SETUSER', 'rollout', 'reset', ...rules.split(' ').slice(2));
    await using connection = await connect(at(user, node.address));
    return await missingPermissions(connection, '7.0.15', undertaking);
  };
  expect(await missing(line.replace(' ~* ', ' %R~* ~others:* '))).toEqual(['~redis-rollout:*']);
  expect(await missing(line.replace(' +acl|dryrun ', ' ').replace(' +psync ', ' '))).toEqual([]);
});

test.each(['eval', 'pexpireat'])(
  'up to 6.x, without +%s expiries can’t be set right: it is named',
  async (permission) => {
    const rules = line.replace(' +function|list', '').replace(` +${permission}`, '');
    await using older = await Sandbox.servers(1, { release: '6.2', configuration: [rules] });
    const endpoint = { ...older.endpoint(), username: 'rollout', password };
    await using connection = await connect(endpoint);
    expect(await missingPermissions(connection, '6.2.14', undertaking)).toEqual([permission.toUpperCase()]);
    expect(await missingPermissions(connection, '6.2.14', { ...undertaking, ttlRepair: false })).toEqual([]);
  },
);

test('it may end a replica', async () => {
  for (const node of cluster.nodes) {
    await using admin = await cluster.connect(node);
    await admin.call('ACL', 'SETUSER', 'rollout', 'reset', ...line.split(' ').slice(2));
  }
  const topology = await settled([cluster.nodes[0]?.address ?? '']);
  const [replica] = topology.shards[0]?.replicas ?? [];
  if (!replica) throw new Error('a replica expected');
  const node = await connect(at(user, replica.address));
  await shutDownReplica(node);
  await expect(connect(at(user, replica.address))).rejects.toMatchObject({ type: 'Unreachable' });
});

/** Every node's view of the handover before is the same by now. */
async function settled(seeds: string[]): Promise<TopologyView> {
  await until('all nodes agree', async () => (await readTopology(user, seeds)).disagreements.length === 0);
  return readTopology(user, seeds);
}
