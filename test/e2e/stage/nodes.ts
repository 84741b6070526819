import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { slotCount, SLOTS } from '../../../model/topology.js';
import { readConfiguration } from '../../../redis/configuration.js';
import { parseInfo, releaseFromInfo } from '../../../redis/info.js';
import { readTopology } from '../../../redis/topology.js';
import { until, type Sandbox } from '../../../scripts/sandbox/cluster.js';

/** One node as it stands: which process serves it, and everything that it runs with. */
export interface NodeState {
  address: string;
  release: string;
  role: string;
  pid: string;
  runId: string;
  clusterState: string;
  running: Record<string, string>;
  acl: string[];
  /** What redis-rollout left in the node's folder. */
  left: string[];
}

/** Every node that answers, in the order of the sandbox. */
export const readNodes = (cluster: Sandbox): Promise<NodeState[]> =>
  Promise.all(
    cluster.nodes.map(async (node) => {
      await using connection = await cluster.connect(node);
      const info = parseInfo(String(await connection.call('INFO')));
      const state = parseInfo(String(await connection.call('CLUSTER', 'INFO')));
      const ours = join(node.home, '.rollout', 'documents');
      return {
        address: node.address,
        release: releaseFromInfo(info),
        role: info['role'] ?? '',
        pid: info['process_id'] ?? '',
        runId: info['run_id'] ?? '',
        clusterState: state['cluster_state'] ?? '',
        // When a node last became primary is remembered for good: the next handover keeps its distance.
        left: existsSync(ours) ? (await readdir(ours)).filter((name) => name !== 'role-changed') : [],
        ...(await readConfiguration(connection)),
      };
    }),
  );

/** Directives that say the same in other words, or that an upgrade can't leave alone: the primary that is followed. */
const otherWords = new Set(['client-output-buffer-limit', 'slaveof', 'replicaof', 'databases', 'protected-mode']);

/** Values of directives that differ though both releases know them by that name. */
function changedBetween(before: NodeState, after: NodeState): Record<string, [string, string]> {
  const changed: Record<string, [string, string]> = {};
  for (const [name, old] of Object.entries(before.running)) {
    const now = after.running[name];
    if (now !== undefined && now !== old && !otherWords.has(name)) changed[name] = [old, now];
  }
  return changed;
}

/**
 * Looks at every node: each runs `release` with the configuration that it had, sees the same healthy cluster, may be
 * promoted again, and nothing of the upgrade's own lies about.
 *
 * @param expected.release one for all, or each node's own in the sandbox's order
 * @param expected.before as readNodes gave it before the upgrade
 */
export async function expectWhole(
  cluster: Sandbox,
  { release, before }: { release: string | readonly string[]; before: readonly NodeState[] },
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
    expect({ node: node.address, left: node.left }).toEqual({ node: node.address, left: [] });
  }
  const { shards } = await readTopology(cluster.endpoint(), seeds);
  expect(slotCount(shards.flatMap((shard) => shard.slots))).toBe(SLOTS);
  const [primaries, replicas] = ['master', 'slave'].map((role) => before.filter((node) => node.role === role).length);
  expect(shards).toHaveLength(primaries ?? 0);
  expect(shards.flatMap((shard) => shard.replicas)).toHaveLength(replicas ?? 0);
}

const promotable = ({ running }: NodeState): string | undefined =>
  running['cluster-replica-no-failover'] ?? running['cluster-slave-no-failover'];

/** Nothing was touched: the same processes with the same settings, and no file of ours beside them. */
export async function expectUntouched(cluster: Sandbox, before: readonly NodeState[]): Promise<void> {
  expect(await readNodes(cluster)).toEqual(before);
  for (const node of cluster.nodes)
    expect((await readdir(node.home)).filter((name) => name.startsWith('.rollout'))).toEqual([]);
}
