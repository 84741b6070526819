// Links that are younger than their replicas are what a handover by somebody else leaves, and a long load, too.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { sinceRelink } from '../../activities/role-change.js';
import { connect, at } from '../../redis/connection.js';
import { readInfo } from '../../redis/node.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { failOver } from '../e2e/stage/nodes.js';

const MINUTE_MS = 60_000;

test.each(['5.0.6', '8.0.6'])(
  '%s: what a young link says depends on whether the stream is the same',
  async (release) => {
    await using cluster = await Sandbox.cluster({
      ...{ release, primaries: 3, replicasEach: 1 },
      configuration: ['cluster-node-timeout 1000'],
    });
    const [primary, , , replica] = cluster.nodes.map(({ address }) => address) as [string, string, string, string];
    // 5.0 takes an offset of 0 for one that it was not told yet, and fails nothing over.
    await writeSomething(cluster, primary);
    const open = (address: string) => connect(at(cluster.endpoint(), address));
    const streamOf = async (address: string) => {
      await using node = await open(address);
      return (await readInfo(node, 'replication'))['master_replid'] ?? '';
    };
    const noted = { id: await streamOf(replica), since: new Date(Date.now() - MINUTE_MS).toISOString() };
    expect(noted.id).toBe(await streamOf(primary));
    const since = async (known?: typeof noted) => {
      await using upstream = await open(primary);
      await using node = await open(replica);
      return await sinceRelink(upstream, node, known);
    };
    const linked = () =>
      until('the replica is linked', async () => /state=online/.test(String(await cluster.ask(primary, 'INFO'))));
    await linked();
    expect(await since()).toBeUndefined();

    // As old as the server is where it was loading for long: the same stream goes on.
    await sleep(4500);
    await cluster.ask(primary, 'CLIENT', 'KILL', 'TYPE', 'slave');
    await linked();
    expect(await since()).toBeLessThan(10_000);
    expect(await since(noted)).toBeGreaterThanOrEqual(MINUTE_MS);

    // Failed over, and back: the links are as young, and the stream is another.
    await failOver(cluster, { to: replica, from: primary });
    await failOver(cluster, { to: primary, from: replica });
    await linked();
    expect(await since(noted)).toBeLessThan(10_000);
  },
  240_000,
);

async function writeSomething(cluster: Sandbox, primary: string): Promise<void> {
  let i = 0;
  await until('a key of its slots', async () => (await cluster.ask(primary, 'SET', `key:${i++}`, 'x')) === 'OK');
}
