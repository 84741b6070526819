import type { Policy } from '../policy.js';
import type { ShardView, TopologyView } from '../topology.js';
import type { PlanFacts } from './facts.js';

/** For how long each primary's backlog holds what is written, at the rate that was measured: the shortest, ms. */
export function backlogReach({
  topology,
  facts,
}: {
  topology: Pick<TopologyView, 'shards'>;
  facts: PlanFacts;
}): number | undefined {
  const reaches = topology.shards.flatMap(({ primary }) => {
    const rate = facts.nodes[primary.address]?.writeBytesPerSecond;
    return rate === undefined ? [] : [Math.round((1000 * primary.backlogBytes) / Math.max(rate, 1))];
  });
  return reaches.length === 0 ? undefined : Math.min(...reaches);
}

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
