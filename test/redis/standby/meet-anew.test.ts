import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findServers } from '../../../platforms/process/servers.js';
import { parseClusterNodes, type ClusterNodesLine } from '../../../redis/cluster-nodes.js';
import { meetAnew } from '../../../redis/standby/meet-anew.js';
import { clusterFile } from '../../../redis/standby/cluster-file.js';
import { readAccounts } from '../../../redis/topology.js';
import { Sandbox, spawnServer, until, type SandboxNode } from '../../../scripts/sandbox/cluster.js';

/** Whom a node takes for dead, or may take for dead. */
async function lostBy(cluster: Sandbox, node: SandboxNode): Promise<string[]> {
  return (await linesOf(cluster, node)).filter(({ health }) => health !== 'ok').map(({ address }) => address);
}

const linesOf = async (cluster: Sandbox, node: SandboxNode): Promise<ClusterNodesLine[]> =>
  parseClusterNodes(String(await cluster.ask(node.address, 'CLUSTER', 'NODES')), '127.0.0.1');

/** As a fallback does it: another release in the same folder, the same member by its nodes.conf. */
async function bringBack(cluster: Sandbox, node: SandboxNode, seenBy: SandboxNode, release: string): Promise<void> {
  const id = String(await cluster.ask(node.address, 'CLUSTER', 'MYID'));
  const nodes = String(await cluster.ask(seenBy.address, 'CLUSTER', 'NODES'));
  await cluster.kill(node);
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

// They note for good that a node understands extension data: https://github.com/redis/redis/pull/13465
test('a member that comes back on 5.0 is dead to those who knew it as 8.0, until they have forgotten it', async () => {
  await using cluster = await Sandbox.cluster({
    ...{ release: '8.0.6', primaries: 1, replicasEach: 2 },
    configuration: ['cluster-node-timeout 2000'],
  });
  const [primary, other, back] = cluster.nodes;
  if (!primary || !other || !back) throw new Error('three nodes');
  await bringBack(cluster, back, primary, '5.0.6');
  await until('neither hears the other', async () => {
    const [here, there] = [await lostBy(cluster, primary), await lostBy(cluster, back)];
    return here.includes(back.address) && there.includes(primary.address) && there.includes(other.address);
  });

  await metAnew(cluster, back, '5.0.6');
  await until('it hears both', async () => (await lostBy(cluster, back)).length === 0);
  for (const node of [primary, other]) {
    const seen = (await linesOf(cluster, node)).find(({ address }) => address === back.address);
    expect(seen).toMatchObject({ health: 'ok', linkUp: true });
  }
  // A lost reply: what was done is done again, and nothing is lost by it.
  await metAnew(cluster, back, '5.0.6');
  await until('it is its primary’s replica again for all', async () => {
    const roles = await Promise.all(
      cluster.nodes.map(async (node) => (await linesOf(cluster, node)).find(({ address }) => address === back.address)),
    );
    return roles.every((it) => it?.role === 'replica');
  });
}, 120_000);

test('nobody has to forget a node of a release that understands them', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0.6', primaries: 1, replicasEach: 1 });
  const [primary, replica] = cluster.nodes;
  if (!primary || !replica) throw new Error('two nodes');
  const before = await meetsSent(cluster, primary);
  await metAnew(cluster, replica, '7.0.15');
  expect(await meetsSent(cluster, primary)).toEqual(before);
}, 60_000);

async function metAnew(cluster: Sandbox, node: SandboxNode, release: string): Promise<void> {
  const endpoint = cluster.endpoint();
  const { accounts } = await readAccounts(
    endpoint,
    cluster.nodes.map(({ address }) => address),
  );
  const id = String(await cluster.ask(node.address, 'CLUSTER', 'MYID'));
  await meetAnew({ endpoint, node: { id, address: node.address } }, { release, accounts });
}

const meetsSent = async (cluster: Sandbox, node: SandboxNode): Promise<number> =>
  Number(
    /cluster_stats_messages_meet_sent:(\d+)/.exec(String(await cluster.ask(node.address, 'CLUSTER', 'INFO')))?.[1] ?? 0,
  );
