/** A shard of a real cluster fails over natively while it is followed: the follower goes on at the new primary. */
import { expect, test } from 'vitest';
import { connect, type Endpoint } from '../../../redis/connection.js';
import { slotOf } from '../../../redis/follow/margins.js';
import { Sandbox, until, type SandboxNode } from '../../../scripts/sandbox/cluster.js';
import { differences, Follower } from './followed.js';
import { joinToImport } from './shard.js';

/** Of the first of three primaries. */
const slots: [number, number][] = [[0, 5460]];
const counters = Array.from({ length: 1000 }, (_, i) => `counter:${i}`).filter((it) => slotOf(Buffer.from(it)) <= 5460);

test.each(['FAILOVER', 'killed'])('%s: no acknowledged write is lost', async (how) => {
  await using cluster = await Sandbox.cluster({ release: '8.0.6', configuration: ['cluster-node-timeout 2000'] });
  await using old = await Sandbox.servers(1, {
    release: '6.2.14',
    configuration: ['cluster-enabled yes', 'cluster-node-timeout 2000'],
  });
  const [first, , , second] = cluster.nodes;
  if (!first || !second) throw new Error('six nodes');
  await using standby = await old.connect();
  await joinToImport({ cluster, primary: first, standby, slots });
  const primaryNow = async (): Promise<Endpoint> => {
    for (const node of [second, first]) if (await isPrimary(cluster, node)) return cluster.endpoint(node);
    throw new Error('neither is primary');
  };
  const follower = new Follower({
    primary: () => primaryNow().catch(() => cluster.endpoint(first)),
    standby: old.endpoint(),
    ...{ source: '8.0.6', target: '6.2.14', slots },
  }).start();
  try {
    const acknowledged = new Map<string, number>();
    const write = async (rounds: number): Promise<void> => {
      await using primary = await connect(await primaryNow());
      for (let round = 0; round < rounds; round++) {
        const replies = await primary.pipeline([...counters.map((it) => ['INCR', it]), ['WAIT', 1, 5000]]);
        // What a replica has not confirmed is not counted as written.
        if (replies.at(-1) === 0) continue;
        for (const [i, it] of counters.entries()) if (typeof replies[i] === 'number') acknowledged.set(it, replies[i]);
      }
    };
    await write(20);
    await follower.drained();
    const before = { ...follower.state };
    await write(20);
    if (how === 'killed') await cluster.kill(first);
    else await cluster.ask(second.address, 'CLUSTER', 'FAILOVER');
    await until('the replica is primary', () => isPrimary(cluster, second));
    await until('it takes writes', async () => {
      await cluster.ask(second.address, 'INCR', counters[0] ?? '');
      return true;
    });
    if (how === 'killed') await cluster.start(first);
    await until('it has a replica', async () =>
      String(await cluster.ask(second.address, 'INFO', 'replication')).includes('state=online'),
    );
    await write(20);
    await follower.drained();
    expect(await differences(cluster.endpoint(second), old.endpoint(), { asking: true })).toEqual([]);
    expect(acknowledged.size).toBe(counters.length);
    const replies = await standby.pipeline(counters.flatMap((it) => [['ASKING'], ['GET', it]]));
    const lost = counters.filter((it, i) => Number(replies[2 * i + 1]) < (acknowledged.get(it) ?? Infinity));
    expect(lost).toEqual([]);
    // By partial resync, from the new primary's own history.
    await until('it is told', () => follower.state?.primary === second.address);
    expect(follower.state).toMatchObject({ copies: 0, notRepresentable: [] });
    expect(follower.state?.replid).not.toBe(before.replid);
  } finally {
    await follower.end();
  }
});

const isPrimary = async (cluster: Sandbox, node: SandboxNode): Promise<boolean> =>
  String(await cluster.ask(node.address, 'ROLE').catch(() => '')).startsWith('master');
