import type { Policy } from '../deployment.js';
import type { ShardView } from '../topology.js';
import type { PlanFacts } from './facts.js';

/**
 * Bytes of replication backlog that let every node of a shard come back by partial resync: the measured write rate for as
 * long as the policy says, or for as long as a node is expected to be away where that is more.
 *
 * @param awaySeconds longest expected absence of one of its nodes
 * @returns undefined where the write rate was not measured
 */
export function backlogNeeded(
  shard: ShardView,
  facts: PlanFacts,
  policy: Pick<Policy, 'backlog'>,
  awaySeconds: number,
): { bytes: number; seconds: number } | undefined {
  const rate = facts.nodes[shard.primary.address]?.writeBytesPerSecond;
  if (rate === undefined) return undefined;
  const seconds = Math.max(policy.backlog.seconds, Math.ceil(awaySeconds));
  return { bytes: Math.ceil(rate * seconds), seconds };
}
