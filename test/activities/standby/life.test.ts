import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { freezeNow } from '../../../activities/standby-freeze.js';
import { takeAway } from '../../../activities/standby-removal.js';
import { sync } from '../../../activities/standby-sync.js';
import { placeOfStandby, type StandbyEntry } from '../../../activities/standby-registry.js';
import { platformNode } from '../../../activities/context.js';
import { at, connect, type NodeConnection } from '../../../redis/connection.js';
import { parseInfo } from '../../../redis/info.js';
import { ownLine } from '../../../redis/standby/cluster-file.js';
import { imports } from '../../../redis/standby/importing.js';
import { followKey } from '../../../redis/standby/point.js';
import { readTopology } from '../../../redis/topology.js';
import { verifyReplica } from '../../../redis/verify/verify-replica.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { everyType, everyTypeKeys } from '../../redis/verify/every-type.js';
import { send } from '../../redis/verify/pair.js';
import { StandbyStage } from './stage.js';
import { usually } from '../../thorough.js';

const tell = (): void => undefined;
const shard = 'shard-1';

describe.each(usually(2, ['5.0.6', 'valkey-9.1.2', '6.2.14', '7.2.4', '8.0.6']))('%s', (release) => {
  test('a standby from its making to its end: synced, frozen, a member without slots, forgotten', async () => {
    await using cluster = await Sandbox.cluster({ release, primaries: 1 });
    await using stage = await StandbyStage.open(cluster);
    const step = { shard, primary: stage.primary, tell };
    await send(cluster.endpoint(), everyType());

    const entry = await sync(await stage.attempt(), step);
    expect(entry).toMatchObject({ shard, state: 'syncing', release });
    expect(entry.home).toBe(`${cluster.nodes[0]?.home ?? ''}-standby`);
    const compared = await verifyReplica({
      ...{ shard, primary: cluster.endpoint(), replica: at(cluster.endpoint(), entry.address) },
      ...{ mode: 'all', ttlToleranceMs: 1000 },
    });
    expect(compared).toMatchObject({ keys: everyTypeKeys, different: 0 });
    expect(await settings(cluster, entry)).toMatchObject({ save: '', appendonly: 'no', maxmemory: '0' });
    // Once more: it is there.
    expect(await sync(await stage.attempt(), step)).toEqual(entry);

    await using primary = await cluster.connect();
    const replid = parseInfo(String(await primary.call('INFO', 'replication')))['master_replid'];
    const { point } = await freezeNow(await stage.attempt(), step);
    expect(point.replid).toBe(replid);
    const [frozen] = await stage.standbys();
    expect(frozen).toMatchObject({ state: 'frozen', ...point, address: entry.address });
    await cluster.ask(stage.primary, 'SET', 'after the freeze', 'x');
    expect(Number(parseInfo(String(await primary.call('INFO', 'replication')))['master_repl_offset'])).toBeGreaterThan(
      point.offset,
    );
    expect((await freezeNow(await stage.attempt(), step)).point).toEqual(point);

    const own = ownLine(String(await primary.call('CLUSTER', 'NODES')));
    const key = followKey(own.ranges);
    {
      await using standby = await connect(at(cluster.endpoint(), entry.address));
      expect(await imports(standby, own)).toBe(true);
      expect(await standby.call('DBSIZE')).toBe(everyTypeKeys + 1);
      const [, fields] = await standby.pipeline([['ASKING'], ['HGETALL', key]]);
      expect(fields).toEqual(
        expect.arrayContaining([
          ...['replid', point.replid, 'offset', String(point.offset)],
          ...['dirty', '0', 'exact', ''],
        ]),
      );
      expect(await different(primary, standby)).toEqual([]);
      expect((await standby.call('CONFIG', 'GET', 'cluster-replica-no-failover')) as string[]).toContain('yes');
    }

    // Nobody who reads the topology sees it, and who has no registry says what it is.
    const seeds = cluster.nodes.map(({ address }) => address);
    const { endpoint } = await stage.attempt();
    expect(await readTopology(endpoint, seeds)).toMatchObject({ disagreements: [], shards: [{ replicas: [{}] }] });
    const stray = (await readTopology(cluster.endpoint(), seeds)).disagreements.join('\n');
    expect(stray).toContain(`${entry.address} is a primary without slots: it imports 16384 slots of ${stage.primary}`);
    expect(stray).toContain(frozen?.nodeId);

    const context = await stage.attempt();
    await takeAway(context, frozen ?? entry);
    await takeAway(await stage.attempt(), frozen ?? entry);
    expect(await stage.standbys()).toEqual([]);
    expect(existsSync(entry.home)).toBe(false);
    expect(await context.platform.inspect(platformNode(placeOfStandby(entry))).catch(() => 'gone')).toBe('gone');
    expect((await readTopology(cluster.endpoint(), seeds)).disagreements).toEqual([]);
  }, 180_000);
});

async function settings(cluster: Sandbox, { address }: StandbyEntry): Promise<Record<string, string>> {
  const flat = (await cluster.ask(address, 'CONFIG', 'GET', '*')) as string[];
  return Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? '']] : [])));
}

/** Keys whose values differ, as far as a value has one way to be written down. */
async function different(primary: NodeConnection, standby: NodeConnection): Promise<string[]> {
  const found: string[] = [];
  const keys = (await primary.callBuffer('KEYS', '*')) as Buffer[];
  for (const key of keys.filter((it) => it.toString() !== 'after the freeze')) {
    const type = String(await primary.call('TYPE', key));
    const [name, ...rest] = readers[type] ?? ['DUMP'];
    const command = [name ?? '', key, ...rest] as const;
    const [[here], [, there]] = await Promise.all([
      primary.pipeline([command], { buffers: true }),
      standby.pipeline([['ASKING'], command], { buffers: true }),
    ]);
    if (written(type, here) !== written(type, there)) found.push(key.toString('latin1'));
  }
  return found;
}

const readers: Record<string, readonly string[]> = {
  string: ['GET'],
  list: ['LRANGE', '0', '-1'],
  hash: ['HGETALL'],
  set: ['SMEMBERS'],
  zset: ['ZRANGE', '0', '-1', 'WITHSCORES'],
  stream: ['XRANGE', '-', '+'],
};

function written(type: string, reply: unknown): string {
  const text = (it: unknown): string =>
    Array.isArray(it) ? `[${it.map(text).join()}]` : Buffer.isBuffer(it) ? it.toString('hex') : String(it);
  if (!Array.isArray(reply)) return text(reply);
  const items = reply.map(text);
  if (type === 'set') return items.sort().join();
  if (type === 'hash')
    return items.flatMap((field, i) => (i % 2 === 0 ? [`${field}=${items[i + 1] ?? ''}`] : [])).sort().join(); // prettier-ignore
  return items.join();
}
