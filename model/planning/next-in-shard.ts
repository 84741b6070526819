import { satisfies } from '../release.js';
import type { NodeView, ShardView } from '../topology.js';
import { chooseSuccessor, replicaOrder } from './order.js';

/** What is to be done next in a shard, as it is now. */
export type NextInShard =
  | { kind: 'upgrade replica'; node: NodeView }
  /** It runs the target, and an earlier operation did not come to compare and release it. */
  | { kind: 'finish replica'; node: NodeView }
  /** It would take over, and nobody has compared it with its primary since it was upgraded. */
  | { kind: 'compare'; node: NodeView }
  /** It would take over, and does not follow its primary at this moment. */
  | { kind: 'await link'; node: NodeView }
  | { kind: 'hand over'; successor: NodeView }
  | { kind: 'release primary' }
  | { kind: 'stuck'; reason: string };

/**
 * Decides from what is seen now, whoever brought it there: an interrupted operation, somebody else's failover, a replica
 * that came back late. Undefined when nothing is left to do.
 *
 * @param pending addresses that an operation has isolated and not released yet
 * @param compared addresses that were compared with their present primary in this operation
 */
export function nextInShard(
  shard: ShardView,
  to: string,
  pending: readonly string[],
  compared: readonly string[],
): NextInShard | undefined {
  const [older] = replicaOrder(shard, to);
  if (older) return { kind: 'upgrade replica', node: older };
  const unfinished = shard.replicas.find(({ address }) => pending.includes(address));
  if (unfinished) return { kind: 'finish replica', node: unfinished };
  if (satisfies(shard.primary.release, to))
    return pending.includes(shard.primary.address) ? { kind: 'release primary' } : undefined;
  const successor = chooseSuccessor(shard, to, compared);
  if (successor) return { kind: 'hand over', successor };
  const candidate = chooseSuccessor(shard, to);
  if (candidate) return { kind: 'compare', node: candidate };
  const [unlinked] = shard.replicas;
  if (unlinked) return { kind: 'await link', node: unlinked };
  return {
    kind: 'stuck',
    reason: `${shard.name} has no upgraded replica that could take over from ${shard.primary.address}`,
  };
}

/**
 * Are members and roles still what a decision was made on? Gates and people may have taken a day in between. A replica
 * that came meanwhile counts as one that went: of the old release it must not follow a newer primary.
 */
export const sameRoles = (before: ShardView, now: ShardView): boolean =>
  before.primary.address === now.primary.address &&
  before.replicas.length === now.replicas.length &&
  before.replicas.every((replica) => now.replicas.some(({ address }) => address === replica.address));
