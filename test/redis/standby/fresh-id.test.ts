import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { findServers } from '../../../platforms/process/servers.js';
import type { NodeAccount } from '../../../redis/account.js';
import { parseClusterNodes, type ClusterNodesLine } from '../../../redis/cluster-nodes.js';
import { clusterFile } from '../../../redis/standby/cluster-file.js';
import { forgetWhoWasAt, freshId, needsFreshId } from '../../../redis/standby/fresh-id.js';
import { introduce } from '../../../redis/standby/membership.js';
import { readAccounts } from '../../../redis/topology.js';
import { Sandbox, spawnServer, until, type SandboxNode } from '../../../scripts/sandbox/cluster.js';

/** Whom a node takes for dead, or may take for dead. */
async function lostBy(cluster: Sandbox, node: SandboxNode): Promise<string[]> {
  return (await linesOf(cluster, node)).filter(({ health }) => health !== 'ok').map(({ address }) => address);
}

const linesOf = async (cluster: Sandbox, node: SandboxNode): Promise<ClusterNodesLine[]> =>
  parseClusterNodes(String(await cluster.ask(node.address, 'CLUSTER', 'NODES')), '127.0.0.1');

/** Another release in the same folder, empty: the same member by its nodes.conf, or at the same place under another id. */
async function start(
  cluster: Sandbox,
  node: SandboxNode,
  { seenBy, release, id }: { seenBy: SandboxNode; release: string; id: string },
): Promise<void> {
  const nodes = String(await cluster.ask(seenBy.address, 'CLUSTER', 'NODES'));
  const self = { id, host: '127.0.0.1', port: node.port, busPort: node.port + 10_000 };
  const { text } = clusterFile({ nodes, primaryHost: '127.0.0.1', release, replica: true, self });
  await writeFile(join(node.home, 'nodes.conf'), text);
  await rm(join(node.home, 'dump.rdb'), { force: true });
  const program = (await findServers()).get(release);
  if (program === undefined) throw new Error(`no server of ${release}`);
  await spawnServer(node.home, program);
  await until('it answers', () =>
    cluster.ask(node.address, 'PING').then(
      () => true,
      () => false,
    ),
  );
}

const accountsOf = async (cluster: Sandbox): Promise<NodeAccount[]> =>
  (
    await readAccounts(
      cluster.endpoint(),
      cluster.nodes.map(({ address }) => address),
    )
  ).accounts;

// They note for good that a node understands extension data: https://github.com/redis/redis/pull/13465
test('a member that comes back on 5.0 is dead to those who knew it as 8.0, forgotten and met again, too; under another id it is heard', async () => {
  await using cluster = await Sandbox.cluster({
    ...{ release: '8.0.6', primaries: 1, replicasEach: 2 },
    configuration: ['cluster-node-timeout 2000'],
  });
  const [primary, other, back] = cluster.nodes;
  if (!primary || !other || !back) throw new Error('three nodes');
  const others = [primary, other];
  const seenAt = async (id: string) =>
    Promise.all(others.map(async (node) => (await linesOf(cluster, node)).find((line) => line.id === id)));
  const former = String(await cluster.ask(back.address, 'CLUSTER', 'MYID'));
  await cluster.kill(back);
  await start(cluster, back, { seenBy: primary, release: '5.0.6', id: former });
  await until('neither hears the other', async () => {
    const [here, there] = [await lostBy(cluster, primary), await lostBy(cluster, back)];
    return here.includes(back.address) && there.includes(primary.address) && there.includes(other.address);
  });
  for (const command of [
    ['FORGET', former],
    ['MEET', '127.0.0.1', String(back.port)],
  ])
    for (const node of others) await cluster.ask(node.address, 'CLUSTER', ...command);
  await until('one has it forgotten by the other', async () => (await seenAt(former)).some((line) => !line));

  const endpoint = cluster.endpoint();
  await cluster.kill(back);
  const accounts = await accountsOf(cluster);
  expect(needsFreshId('5.0.6', accounts)).toBe(true);
  const signal = AbortSignal.timeout(60_000);
  await forgetWhoWasAt(endpoint, back.address, { id: former, accounts, signal });
  const id = freshId();
  await start(cluster, back, { seenBy: primary, release: '5.0.6', id });
  const members = others.map(({ address }) => address);
  await introduce({ endpoint, node: { id, address: back.address }, members, signal });
  // More than the node timeout, and several rounds of pings in which ids are forgotten.
  await sleep(4000);
  const leader = String(await cluster.ask(primary.address, 'CLUSTER', 'MYID'));
  for (const seen of await seenAt(id))
    expect(seen).toMatchObject({ health: 'ok', linkUp: true, role: 'replica', primaryId: leader });
  expect(await seenAt(former)).toEqual([undefined, undefined]);
  expect(await lostBy(cluster, back)).toEqual([]);
}, 240_000);

test('a release that understands them needs none, and beside older ones none does', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0.6', primaries: 1, replicasEach: 1 });
  const accounts = await accountsOf(cluster);
  expect(['7.0.15', '7.2.4', 'valkey-8.1.1'].map((release) => needsFreshId(release, accounts))).toEqual([
    ...[false, false, false],
  ]);
  expect(['5.0.6', '6.2.14'].map((release) => needsFreshId(release, accounts))).toEqual([true, true]);
  await using older = await Sandbox.cluster({ release: '7.0.15', primaries: 1, replicasEach: 1 });
  expect(needsFreshId('5.0.6', await accountsOf(older))).toBe(false);
}, 120_000);
