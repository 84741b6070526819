import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { slotCount, SLOTS } from '../../../model/topology.js';
import { parseClusterNodes } from '../../../redis/cluster-nodes.js';
import { readTopology } from '../../../redis/topology.js';
import { until, type Sandbox, type SandboxNode } from '../../../scripts/sandbox/cluster.js';
import { changedBetween, promotable, readNodes, type NodeState } from '../../../scripts/sandbox/node-states.js';

export { readNodes, type NodeState } from '../../../scripts/sandbox/node-states.js';

/**
 * Looks at every node: each runs `release` with the configuration that it had, sees the same healthy cluster, may be
 * promoted again, and nothing of the upgrade's own lies about.
 *
 * @param expected.release one for all, or each node's own in the sandbox's order
 * @param expected.before as readNodes gave it before the upgrade
 * @param expected.closed the upgrade is final, or was taken back: else how each node was before is kept beside it
 */
export async function expectWhole(
  cluster: Sandbox,
  {
    release,
    before,
    closed = false,
  }: { release: string | readonly string[]; before: readonly NodeState[]; closed?: boolean },
): Promise<void> {
  const seeds = cluster.nodes.map((node) => node.address);
  // Gossip carries the last change of roles to the last node within its next pings.
  await until('every node sees the same healthy cluster', async () => {
    const { disagreements } = await readTopology(cluster.endpoint(), seeds);
    if (disagreements.length > 0) throw new Error(disagreements.join('; '));
    return true;
  });
  const nodes = await readNodes(cluster);
  const expected = typeof release === 'string' ? nodes.map(() => release) : release;
  expect(nodes.map((node) => node.release)).toEqual(expected);
  for (const [i, node] of nodes.entries()) {
    const old = before[i];
    if (!old) throw new Error(`${node.address} was not there before`);
    expect({ node: node.address, state: node.clusterState }).toEqual({ node: node.address, state: 'ok' });
    expect({ node: node.address, changed: changedBetween(old, node) }).toEqual({ node: node.address, changed: {} });
    expect(promotable(node)).toBe(promotable(old));
    const left = node.left.filter((name) => closed || name !== 'origin');
    expect({ node: node.address, left }).toEqual({ node: node.address, left: [] });
    // As it is started the next time, too.
    const file = await readFile(join(cluster.nodes[i]?.home ?? '', 'redis.conf'), 'utf8');
    if (promotable(old) === 'no') expect(file).not.toMatch(/^\s*cluster-(slave|replica)-no-failover\s+"?yes/m);
  }
  const { shards } = await readTopology(cluster.endpoint(), seeds);
  expect(slotCount(shards.flatMap((shard) => shard.slots))).toBe(SLOTS);
  const [primaries, replicas] = ['master', 'slave'].map((role) => before.filter((node) => node.role === role).length);
  expect(shards).toHaveLength(primaries ?? 0);
  expect(shards.flatMap((shard) => shard.replicas)).toHaveLength(replicas ?? 0);
}

/** Nobody knows a node by an id that it went by once, nor a standby that was. */
export async function expectNoOthers(cluster: Sandbox): Promise<void> {
  for (const { address } of cluster.nodes) {
    const known = parseClusterNodes(String(await cluster.ask(address, 'CLUSTER', 'NODES')), '127.0.0.1');
    expect(known.map((it) => it.address).toSorted()).toEqual(cluster.nodes.map((it) => it.address).toSorted());
  }
}

/** Nothing was touched: the same processes with the same settings, and no file of ours beside them. */
export async function expectUntouched(cluster: Sandbox, before: readonly NodeState[]): Promise<void> {
  expect(await readNodes(cluster)).toEqual(before);
  for (const node of cluster.nodes)
    expect((await readdir(node.home)).filter((name) => name.startsWith('.rollout'))).toEqual([]);
}

/** @throws Error where none of the cluster's own nodes is there: a standby, for example */
export function nodeAt(cluster: Sandbox, address: string | undefined): SandboxNode {
  const found = cluster.nodes.find((it) => it.address === address);
  if (!found) throw new Error(`no node of the sandbox at ${address ?? 'nowhere'}`);
  return found;
}

/**
 * Asked again until it happens: votes are refused for a while after the last one.
 *
 * @param roles.from if given, it is a replica by then
 */
export async function failOver(cluster: Sandbox, { to, from }: { to: string; from?: string }): Promise<void> {
  const is = async (role: string, address: string): Promise<boolean> =>
    ((await cluster.ask(address, 'ROLE')) as [string])[0] === role;
  const moved = async (): Promise<boolean> =>
    (await is('master', to)) && (from === undefined || (await is('slave', from)));
  await until(`${to} is primary`, async () => {
    if (!(await is('master', to))) await cluster.ask(to, 'CLUSTER', 'FAILOVER');
    await until('it is elected', moved, 6000);
    return true;
  });
}
