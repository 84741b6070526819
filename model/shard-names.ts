import type { ShardView } from './topology.js';

/** Ids of the nodes that a shard had when the operation began, by its name. */
export type ShardMembers = Readonly<Record<string, readonly string[]>>;

export const membersOf = (shards: readonly ShardView[]): ShardMembers =>
  Object.fromEntries(shards.map(({ name, primary, replicas }) => [name, [primary, ...replicas].map(({ id }) => id)]));

/**
 * A shard is its members, not its number: names go by the order of slots, and somebody may move slots while an upgrade
 * is under way. Each keeps the name under which most of its members were known; one that nobody knew gets a new name.
 */
export function nameByMembers(shards: readonly ShardView[], known: ShardMembers): ShardView[] {
  const pairs = shards
    .flatMap((shard) =>
      Object.entries(known).map(([name, ids]) => {
        const present = [shard.primary, ...shard.replicas].filter(({ id }) => ids.includes(id));
        return { shard, name, common: present.length, led: ids.includes(shard.primary.id) };
      }),
    )
    .filter(({ common }) => common > 0)
    .sort((a, b) => b.common - a.common || Number(b.led) - Number(a.led));
  const names = new Map<ShardView, string>();
  const taken = new Set<string>();
  for (const { shard, name } of pairs)
    if (!names.has(shard) && !taken.has(name)) {
      names.set(shard, name);
      taken.add(name);
    }
  let next = Math.max(0, ...Object.keys(known).map((name) => Number(name.split('-')[1])));
  return shards.map((shard) => ({ ...shard, name: names.get(shard) ?? `shard-${++next}` }));
}
