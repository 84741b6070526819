import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readConfiguration } from '../../redis/configuration.js';
import { parseInfo, releaseFromInfo } from '../../redis/info.js';
import type { Sandbox } from './cluster.js';

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
export function changedBetween(before: NodeState, after: NodeState): Record<string, [string, string]> {
  const changed: Record<string, [string, string]> = {};
  for (const [name, old] of Object.entries(before.running)) {
    const now = after.running[name];
    if (now !== undefined && now !== old && !otherWords.has(name)) changed[name] = [old, now];
  }
  return changed;
}

/** How it says whether it may be promoted: `no` where it may. */
export const promotable = ({ running }: NodeState): string | undefined =>
  running['cluster-replica-no-failover'] ?? running['cluster-slave-no-failover'];
