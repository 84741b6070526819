import { RolloutError } from '../model/failures.js';
import type { NodeView } from '../model/topology.js';
import { parseClusterNodes, type ClusterNodesLine, type KnownLines } from './cluster-nodes.js';
import { addressOf, connect, type Endpoint } from './connection.js';
import { parseInfo, releaseFromInfo } from './info.js';

/** One node's own account: of itself, and of everyone else. */
export interface NodeAccount {
  node: NodeView;
  /** Its CLUSTER NODES. */
  peers: ClusterNodesLine[];
  clusterState: string;
  currentEpoch: number;
  nodeTimeoutMs: number;
  /** `master_failover_state` (since 6.2) is anything but `no-failover`. */
  failoverUnderWay: boolean;
}

/**
 * Reads one node: INFO, CLUSTER NODES, CLUSTER INFO and its node timeout, over a connection of its own.
 *
 * @param known lines of CLUSTER NODES that others had
 */
export async function readAccount(endpoint: Endpoint, known?: KnownLines): Promise<NodeAccount> {
  await using connection = await connect(endpoint);
  const { address } = connection;
  const [infoText, nodesText, clusterText, timeout] = await connection.pipeline([
    ['INFO'],
    ['CLUSTER', 'NODES'],
    ['CLUSTER', 'INFO'],
    ['CONFIG', 'GET', 'cluster-node-timeout'],
  ]);
  for (const [reply, command] of [
    [infoText, 'INFO'],
    [nodesText, 'CLUSTER NODES'],
    [clusterText, 'CLUSTER INFO'],
    [endpoint.withoutConfig ? [] : timeout, 'CONFIG GET'],
  ] as const)
    if (reply instanceof Error) throw commandRefused(address, command, reply, endpoint);
  const info = parseInfo(String(infoText));
  const cluster = parseInfo(String(clusterText));
  const peers = withoutStandbys(parseClusterNodes(String(nodesText), endpoint.host, known), endpoint);
  const own = peers.find((peer) => peer.myself);
  if (!own) throw new RolloutError('BadInput', `${address}: CLUSTER NODES names no node as myself`);
  return {
    node: nodeView(address, own.id, info),
    peers,
    clusterState: cluster['cluster_state'] ?? 'unknown',
    currentEpoch: Number(cluster['cluster_current_epoch'] ?? 0),
    nodeTimeoutMs: Number(timeout instanceof Error ? 15_000 : ((timeout as string[])[1] ?? 15_000)),
    failoverUnderWay: (info['master_failover_state'] ?? 'no-failover') !== 'no-failover',
  };
}

/**
 * A standby is a member by its CLUSTER NODES only: it has no slot and no vote, is in no shard, and not to be upgraded. The
 * one that serves slots is its shard's primary, and whoever lives where one was is none.
 */
function withoutStandbys(lines: ClusterNodesLine[], { standbys = [], standbyIds = {} }: Endpoint): ClusterNodesLine[] {
  if (standbys.length === 0) return lines;
  const isStandby = ({ id, address, role, health, linkUp }: ClusterNodesLine): boolean => {
    if (!standbys.includes(address) || (role !== 'primary' && health !== 'handshake')) return false;
    const its = standbyIds[address];
    // By an id of before it is known for a moment only, until its bus is heard of; in a handshake by one that is drawn.
    return its === undefined || its === id || health !== 'ok' || !linkUp;
  };
  return lines.filter((line) => line.myself || line.slots.length > 0 || !isStandby(line));
}

/** Turns a refused command into the failure that says what to do. */
function commandRefused(address: string, command: string, error: Error, endpoint: Endpoint): RolloutError {
  const who = endpoint.username === undefined ? 'the default user' : `user '${endpoint.username}'`;
  if (/cluster support disabled/i.test(error.message))
    return new RolloutError(
      'BadInput',
      `${address} is no cluster node (cluster-enabled no): expected topology 'cluster'`,
    );
  if (/^NOPERM/.test(error.message))
    return new RolloutError('MissingPermission', `${address}: ${who} may not run ${command}: ${error.message}`);
  if (/unknown command/i.test(error.message))
    return new RolloutError(
      'BadDeploymentFile',
      `${address} doesn't know ${command}: if redis.conf renames it, name it under commands`,
    );
  if (/^LOADING/.test(error.message)) return new RolloutError('Unreachable', `${address} is loading its dataset`);
  if (/^BUSY\b/.test(error.message))
    return new RolloutError('NodeHung', `${address} is held up by a script or function: ${error.message}`);
  if (/^NOAUTH/.test(error.message))
    return new RolloutError('Unauthorized', `${address} wants a password, and the deployment file names none`);
  return new RolloutError('Unreachable', `${address}: ${command} failed: ${error.message}`);
}

/** What one node says of itself, from its INFO. */
export function nodeView(address: string, id: string, info: Record<string, string>): NodeView {
  const number = (field: string): number => Number(info[field] ?? 0);
  const replica = info['role'] === 'slave';
  return {
    id,
    address,
    release: releaseFromInfo(info),
    role: replica ? 'replica' : 'primary',
    ...(replica
      ? {
          replication: {
            primary: addressOf({ host: info['master_host'] ?? '', port: Number(info['master_port'] ?? 0) }),
            link: info['master_link_status'] === 'up' ? ('up' as const) : ('down' as const),
            offset: number('slave_repl_offset'),
            loading: info['loading'] === '1',
            syncing: info['master_sync_in_progress'] === '1',
          },
        }
      : {}),
    replid: info['master_replid'] ?? '',
    offset: replica ? number('slave_repl_offset') : number('master_repl_offset'),
    backlogBytes: number('repl_backlog_size'),
    usedMemoryBytes: number('used_memory'),
    maxMemoryBytes: number('maxmemory'),
    keys: Number(/keys=(\d+)/.exec(info['db0'] ?? '')?.[1] ?? 0),
    uptimeSeconds: number('uptime_in_seconds'),
    runId: info['run_id'] ?? '',
  };
}
