import { formatSize } from '../duration.js';
import { satisfies } from '../release.js';
import type { NodeView, ShardView } from '../topology.js';

/** Where the upgrade is tried first. */
export interface Canary {
  shard: string;
  node: string;
  reason: string;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** How far a replica is behind its primary, bytes of the stream. */
export const lagOf = (shard: ShardView, replica: NodeView): number =>
  Math.max(0, shard.primary.offset - (replica.replication?.offset ?? replica.offset));

/**
 * Replicas that are still to be upgraded, in order: most lagged first, so that the best copy stays untouched the
 * longest. Equal ones go by address, so that every computation gives the same order.
 */
export function replicaOrder(shard: ShardView, to: string): NodeView[] {
  return shard.replicas
    .filter((replica) => !satisfies(replica.release, to))
    .sort((a, b) => lagOf(shard, b) - lagOf(shard, a) || byText(a.address, b.address));
}

/**
 * The replica that would take over: upgraded, linked to this primary, not loading; of these the one with the highest
 * offset, which has the least to catch up with.
 *
 * @param verified addresses that were compared with their primary after their swap; without it, every upgraded one
 */
export function chooseSuccessor(shard: ShardView, to: string, verified?: readonly string[]): NodeView | undefined {
  return shard.replicas
    .filter(
      (it) =>
        satisfies(it.release, to) &&
        it.replication?.link === 'up' &&
        it.replication.primary === shard.primary.address &&
        !it.replication.loading &&
        !it.replication.syncing &&
        (verified?.includes(it.address) ?? true),
    )
    .sort(
      (a, b) =>
        (b.replication?.offset ?? b.offset) - (a.replication?.offset ?? a.offset) || byText(a.address, b.address),
    )[0];
}

/**
 * Is there nothing left to do in the shard?
 *
 * @param pending addresses that an operation has isolated and not released yet
 */
export const isUpgraded = (shard: ShardView, to: string, pending: readonly string[] = []): boolean =>
  [shard.primary, ...shard.replicas].every((node) => satisfies(node.release, to) && !pending.includes(node.address));

/**
 * The shard in which the first replica is tried: the one with the least to lose, by keys, then bytes, then name. None
 * once any node runs the target: that one was the canary.
 */
export function chooseCanary(shards: readonly ShardView[], to: string): Canary | undefined {
  const nodes = shards.flatMap((shard) => [shard.primary, ...shard.replicas]);
  if (nodes.some((node) => satisfies(node.release, to))) return undefined;
  const [shard] = shards
    .filter(({ replicas }) => replicas.length > 0)
    .sort(
      (a, b) =>
        a.primary.keys - b.primary.keys ||
        a.primary.usedMemoryBytes - b.primary.usedMemoryBytes ||
        byText(a.name, b.name),
    );
  const node = shard && replicaOrder(shard, to)[0];
  if (!node) return undefined;
  const size = `${shard.primary.keys} keys, ${formatSize(shard.primary.usedMemoryBytes)}`;
  const among = lagOf(shard, node) > 0 ? 'its most lagged replica' : 'the first of its replicas, none of which lags';
  const most = shard.replicas.length === 1 ? 'its only replica' : among;
  return {
    shard: shard.name,
    node: node.address,
    reason: `${shard.name} holds the fewest keys (${size}) and ${node.address} is ${most}`,
  };
}

/** Shards with something left to do: the canary's first, then those already begun, then by slots. */
export function shardOrder(shards: readonly ShardView[], to: string, pending: readonly string[] = []): ShardView[] {
  const canary = chooseCanary(shards, to)?.shard;
  const rank = (shard: ShardView): number => {
    if (shard.name === canary) return 0;
    return [shard.primary, ...shard.replicas].some((node) => satisfies(node.release, to)) ? 1 : 2;
  };
  return shards
    .filter((shard) => !isUpgraded(shard, to, pending))
    .sort((a, b) => rank(a) - rank(b) || (a.slots[0]?.[0] ?? 0) - (b.slots[0]?.[0] ?? 0) || byText(a.name, b.name));
}
