import { randomBytes } from 'node:crypto';
import { writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseClusterNodes } from '../../../redis/cluster-nodes.js';
import { parseInfo } from '../../../redis/info.js';
import { backgroundSave } from '../../../redis/node.js';
import { clusterFile } from '../../../redis/standby/cluster-file.js';
import { freeze, readPoint } from '../../../redis/standby/freeze.js';
import { imports, markImporting } from '../../../redis/standby/importing.js';
import { forgetEverywhere, introduce } from '../../../redis/standby/membership.js';
import { EXPIRY_MARGIN_MS, followKey } from '../../../redis/standby/point.js';
import { verifyReplica } from '../../../redis/verify/verify-replica.js';
import { tagsFor } from '../../../redis/probe/slot.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { send } from '../verify/pair.js';

const releases = ['5.0.6', '6.2.14', '7.0.15', '7.2.4', '8.0.6', 'valkey-8.1.1', 'valkey-9.1.2'];

describe.each(releases)('%s', (release) => {
  test('a replica outside of the cluster, frozen, becomes a member without slots that keeps what it has', async () => {
    await using cluster = await Sandbox.cluster({ release, configuration: ['cluster-node-timeout 2000'] });
    await using outside = await Sandbox.servers(1, { release });
    const [first, , , , , last] = cluster.nodes;
    const [node] = outside.nodes;
    if (!first || !last || !node) throw new Error('expected nodes');
    const ranges = (await linesAt(cluster)).find(({ myself }) => myself)?.slots ?? [];
    const tags = tagsFor(ranges, 50);
    await send(
      cluster.endpoint(first),
      tags.flatMap((tag, n) => [
        ['SET', `{${tag}}:string`, `value ${n}`],
        ['SET', `{${tag}}:expires`, 'soon', 'PX', 600_000],
        ['RPUSH', `{${tag}}:list`, 'a', 'b', String(n)],
        ['HSET', `{${tag}}:hash`, 'f', String(n)],
      ]),
    );
    const key = followKey(ranges);
    const self = randomBytes(20).toString('hex');
    const expiring = `{${tags[0]}}:expires`;
    await using primary = await cluster.connect(first);
    const info = async () => parseInfo(String(await primary.call('INFO', 'replication')));
    let frozen;
    {
      await using standby = await outside.connect(node);
      await standby.call('REPLICAOF', '127.0.0.1', first.port);
      const goal = Number((await info())['master_repl_offset']);
      await until('it has followed', async () => {
        const own = parseInfo(String(await standby.call('INFO', 'replication')));
        return own['master_link_status'] === 'up' && Number(own['slave_repl_offset']) >= goal;
      });
      const compared = await verifyReplica({
        ...{ shard: 'shard-1', primary: cluster.endpoint(first), replica: outside.endpoint(node) },
        ...{ mode: 'all', ttlToleranceMs: 1000 },
      });
      expect(compared).toMatchObject({ different: 0, keys: 200 });
      frozen = await freeze(standby, { endpoint: {}, key, standby: self });
      expect(frozen.replid).toBe((await info())['master_replid']);
      expect(frozen.offset).toBeGreaterThanOrEqual(goal);
      expect(await standby.call('HGETALL', key)).toEqual(
        expect.arrayContaining(['replid', frozen.replid, 'offset', String(frozen.offset), 'dirty', '0', 'exact', '']),
      );
      const left = Number(await standby.call('PTTL', expiring)) - Number(await primary.call('PTTL', expiring));
      expect(Math.abs(left - EXPIRY_MARGIN_MS)).toBeLessThan(1000);
      expect(await standby.call('DBSIZE')).toBe(201);
      // Whoever reads it again finds the same; somebody else's record is none.
      expect(await readPoint(standby, { key, standby: self })).toEqual(frozen);
      expect(await readPoint(standby, { key, standby: 'another' })).toBeUndefined();
      await backgroundSave(standby);
    }
    await outside.kill(node);

    const nodes = String(await primary.call('CLUSTER', 'NODES'));
    const file = clusterFile({
      ...{ nodes, primaryHost: '127.0.0.1', release },
      self: { id: self, host: '127.0.0.1', port: node.port, busPort: node.port + 10_000 },
    });
    expect(file.ranges).toEqual(ranges);
    await writeFile(join(node.home, 'nodes.conf'), file.text);
    const configuration = await readFile(join(node.home, 'redis.conf'), 'utf8');
    await writeFile(join(node.home, 'redis.conf'), `${configuration}cluster-enabled yes\ncluster-node-timeout 2000\n`);
    await outside.start(node);
    await using standby = await outside.connect(node);
    expect(await standby.call('DBSIZE')).toBe(201);
    expect(await imports(standby, file)).toBe(true);
    const membership = {
      endpoint: cluster.endpoint(),
      node: { id: self, address: node.address },
      members: cluster.nodes.map(({ address }) => address),
    };
    await introduce(membership);
    await introduce(membership);
    for (const member of cluster.nodes) {
      const line = (await linesAt(cluster, member)).find(({ id }) => id === self);
      expect(line).toMatchObject({ address: node.address, role: 'primary', slots: [], health: 'ok' });
    }
    await until('it is in the cluster', async () =>
      String(await standby.call('CLUSTER', 'INFO')).includes('cluster_state:ok'),
    );
    // What it has been given is there, what it never had can be written, and nothing of it is anybody's business.
    const ask = async (...command: [string, ...(string | number)[]]): Promise<unknown> =>
      (await standby.pipeline([['ASKING'], command]))[1];
    expect(await ask('GET', `{${tags[7]}}:string`)).toBe('value 7');
    expect(await ask('HGET', key, 'offset')).toBe(String(frozen.offset));
    const [free = ''] = tagsFor(ranges, 200).slice(-1);
    expect(await ask('SET', `{${free}}:new`, 'v')).toBe('OK');
    expect(await ask('DEL', `{${free}}:new`)).toBe(1);
    await expect(standby.call('GET', `{${tags[7]}}:string`)).rejects.toThrow(/MOVED/);

    // The owner changes: what was importing from it is nobody's, until it is marked anew.
    const successor = (await linesAt(cluster)).find(
      ({ primaryId, health }) => primaryId === file.owner && health === 'ok',
    );
    await cluster.ask(successor?.address, 'CLUSTER', 'FAILOVER', 'TAKEOVER');
    const owner = successor?.id ?? '';
    await until('the standby knows the new owner', async () => {
      const line = parseClusterNodes(String(await standby.call('CLUSTER', 'NODES')), '').find(({ id }) => id === owner);
      return line?.role === 'primary';
    });
    // Valkey's may go over to the new primary by themselves, and mostly do.
    if (!release.startsWith('valkey')) expect(await imports(standby, { ranges, owner })).toBe(false);
    await markImporting({ standby, ranges, owner });
    expect(await imports(standby, { ranges, owner })).toBe(true);
    await until('it serves who asks', async () => (await ask('GET', `{${tags[7]}}:string`)) === 'value 7');
    expect(await standby.call('DBSIZE')).toBe(201);

    await forgetEverywhere(membership);
    await outside.kill(node);
    await forgetEverywhere(membership);
    for (const member of cluster.nodes)
      expect((await linesAt(cluster, member)).map(({ address }) => address)).not.toContain(node.address);
  }, 120_000);
});

async function linesAt(cluster: Sandbox, node = cluster.nodes[0]) {
  return parseClusterNodes(String(await cluster.ask(node?.address, 'CLUSTER', 'NODES')), '127.0.0.1');
}
