import { canPauseWrites } from './compatibility/rules.js';
import { olderLine } from './compatibility/release-lines.js';
import type { Policy } from './policy.js';
import { formatDuration, formatSize } from './duration.js';
import { lagOf } from './planning/order.js';
import type { NodeView, ShardView } from './topology.js';
import { fail, pass, wait, type Verdict } from './verdict.js';

/** What one primary of the cluster, of whatever shard, says at this moment. */
export interface PrimaryObservation {
  address: string;
  reachable: boolean;
  /** Ids of the nodes that it sees healthy and is linked to. */
  knows: readonly string[];
  /** `cluster_current_epoch`. */
  currentEpoch: number;
}

/** A shard just before its handover, as read from every node concerned. */
export interface ShardObservation {
  shard: ShardView;
  /** Every primary of the cluster, this shard's own included. */
  primaries: readonly PrimaryObservation[];
  /** Addresses that were compared with their primary since their swap. */
  verified: readonly string[];
  /** Since a role of this shard changed last, ms; undefined when nobody saw it change. */
  sinceRoleChangeMs: number | undefined;
  /** Since when it is known that no role changed unseen, ms ago, where the replicas linked to this primary later than they were started. */
  sinceRelinkMs?: number;
  /** Address of a node that reports a failover under way (`master_failover_state`, or a vote asked for). */
  failoverUnderWay?: string;
  nodeTimeoutMs: number;
}

export type HandoverPolicy = Pick<Policy, 'settle'> & { gates: Pick<Policy['gates'], 'maxLag'> };

/**
 * May writes move to `candidate` now? A refusal says what would clear it.
 *
 * @param candidate address of the replica that would take over
 */
export function mayHandOver(observation: ShardObservation, candidate: string, policy: HandoverPolicy): Verdict {
  const { shard, primaries, verified, sinceRoleChangeMs, sinceRelinkMs, failoverUnderWay, nodeTimeoutMs } = observation;
  const node = shard.replicas.find(({ address }) => address === candidate);
  if (!node) return fail(`${candidate} is no replica of ${shard.name}`, 'choose one of its replicas');
  const ready = isReady(shard, node, policy);
  if (ready.state !== 'pass') return ready;
  if (!verified.includes(candidate))
    return wait(`${candidate} was not compared with its primary since it was upgraded`, 'its verification ends');
  if (failoverUnderWay !== undefined)
    return wait(`${failoverUnderWay} reports a failover under way`, 'that failover ends');

  const silent = primaries.filter(({ reachable }) => !reachable).map(({ address }) => address);
  // A majority of primaries has to vote, and with fewer the old primary would be lost to the vote, not handed over.
  if (primaries.length === 0 || silent.length * 2 >= primaries.length)
    return wait(
      `${silent.length} of ${primaries.length} primaries can't be reached${silent.length > 0 ? ` (${silent.join(', ')})` : ''}`,
      'a majority answers',
    );
  if (silent.includes(shard.primary.address))
    return wait(`${shard.primary.address} can't be reached: it could not give the role over`, 'it answers');
  // redis-doc#1633: a candidate that a majority doesn't know gets no votes, and FAILOVER says OK all the same.
  const strangers = primaries.filter((it) => it.reachable && !it.knows.includes(node.id)).map(({ address }) => address);
  if (strangers.length > 0)
    return wait(
      `${strangers.join(', ')} ${strangers.length === 1 ? "doesn't" : "don't"} know ${candidate} yet`,
      'gossip reaches them',
    );

  // An early second failover says OK and does nothing: votes are refused for 2 × node timeout (measured; cluster.c).
  const settle = Math.max(policy.settle, 2 * nodeTimeoutMs);
  if (sinceRoleChangeMs !== undefined && sinceRoleChangeMs < settle)
    return wait(
      `roles changed ${formatDuration(sinceRoleChangeMs)} ago`,
      `${formatDuration(settle - sinceRoleChangeMs)} more pass`,
    );
  if (sinceRelinkMs !== undefined && sinceRelinkMs < settle)
    return wait(
      `the replicas of ${shard.primary.address} linked to it anew: somebody may have failed ${shard.name} over ${formatDuration(sinceRelinkMs)} ago`,
      `${formatDuration(settle - sinceRelinkMs)} more pass`,
    );
  return pass();
}

function isReady(shard: ShardView, node: NodeView, policy: HandoverPolicy): Verdict {
  const able = couldReplace(shard.primary, node);
  if (able.state !== 'pass') return able;
  const lag = lagOf(shard, node);
  if (lag > policy.gates.maxLag)
    return wait(
      `${node.address} is ${formatSize(lag)} behind its primary, more than ${formatSize(policy.gates.maxLag)}`,
      'it catches up',
    );
  return pass();
}

/**
 * What must hold of the pair whatever anyone overrides: the candidate can parse what its primary holds, follows it, and
 * has a dataset. The handover looks at it once more just before it acts.
 */
export function couldReplace(primary: NodeView, node: NodeView): Verdict {
  const link = node.replication;
  if (node.role !== 'replica' || !link)
    return fail(`${node.address} is a primary already`, 'nothing is left to hand over');
  if (olderLine(node.release, primary.release))
    return fail(
      `${node.address} runs ${node.release}, older than its primary (${primary.release}): it drops what it can't parse`,
      'never promote it',
    );
  if (link.primary !== primary.address)
    return wait(`${node.address} replicates ${link.primary}, not ${primary.address}`, 'it follows the primary');
  if (link.loading) return wait(`${node.address} is loading its dataset`, 'loading ends');
  if (link.syncing) return wait(`${node.address} is taking a full sync`, 'the sync ends');
  if (link.link !== 'up') return wait(`${node.address} has lost its replication link`, 'the link comes up');
  return pass();
}

/**
 * Do the preconditions of the coordinated takeover hold? It skips the vote, so it may be taken only where nobody could
 * disagree. A pass is leave for `fast`; anything else says why `safe` is used instead, after a while where it may pass: a
 * shard that is handed over beside this one raises the epoch, and gossip takes a moment.
 */
export function mayTakeOver({
  primary,
  primaries,
  failoverUnderWay,
}: Pick<ShardObservation, 'primaries' | 'failoverUnderWay'> & { primary: NodeView }): Verdict {
  const pausing = canPauseWrites(primary.release);
  if (pausing.state !== 'pass') return pausing;
  const silent = primaries.filter(({ reachable }) => !reachable).map(({ address }) => address);
  if (primaries.length === 0 || silent.length > 0)
    return fail(`not every primary can be reached (${silent.join(', ')})`, 'safe is used for this handover');
  const epochs = [...new Set(primaries.map(({ currentEpoch }) => currentEpoch))];
  if (epochs.length > 1)
    return wait(`the primaries disagree on the epoch (${epochs.join(', ')})`, 'gossip reaches every primary');
  if (failoverUnderWay !== undefined) return wait(`${failoverUnderWay} reports a failover under way`, 'it is over');
  return pass();
}
