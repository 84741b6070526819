import type { OperationStatus, ShardStatus, TimelineEntry } from '../model/operation.js';

/**
 * One status of an operation and its children. The root says how the whole stands; of a shard its own workflow knows
 * most, so the innermost that mentions it has the word.
 */
export function mergeStatuses(root: OperationStatus, children: readonly OperationStatus[]): OperationStatus {
  const all = [root, ...children];
  const shards = new Map<string, ShardStatus>();
  // What an earlier hop made of a shard is no word about this one.
  const now = all.filter((it) => it === root || root.hop === undefined || it.to === root.hop);
  for (const { operation, phase, shards: known } of now.sort((a, b) => depth[a.operation] - depth[b.operation]))
    // The phase of a shard's own workflow is the shard's.
    for (const shard of known) shards.set(shard.shard, operation === 'upgradeShard' ? { ...shard, phase } : shard);
  const merged = [...shards.values()].sort((a, b) => a.shard.localeCompare(b.shard, 'en', { numeric: true }));
  const upgraded = merged.flatMap(({ nodes }) => nodes).filter(({ state }) => state === 'upgraded').length;
  // The fallback of an upgrade is a child of it, and what is said there is what people decide on.
  const restore = all.flatMap((it) => it.fallback?.restore ?? []);
  return {
    ...root,
    ...(root.fallback && restore.length > 0 ? { fallback: { ...root.fallback, restore } } : {}),
    progress: { ...root.progress, upgraded: Math.max(root.progress.upgraded, upgraded) },
    // The family passes questions up, so that the root knows them too: each is shown once.
    waiting:
      root.endedAt === undefined
        ? unique(
            all.flatMap(({ waiting }) => waiting),
            ({ kind, name, shard }) => `${kind} ${name} ${shard ?? ''}`,
          )
        : [],
    shards: merged,
    children: unique(
      all.flatMap(({ children }) => children),
      (id) => id,
    ),
    // What is asked of a copy is answered there.
    approvals: unique(
      all.filter(({ deployment }) => deployment === root.deployment).flatMap(({ approvals }) => approvals),
      ({ approval, askedAt }) => `${approval} ${askedAt}`,
    ),
    gates: unique(
      all.flatMap(({ gates }) => gates),
      // A later hop holds the same gates at the same places.
      ({ gate, before, shard, since }) => `${gate} ${before} ${shard ?? ''} ${since}`,
    ),
  };
}

const depth = {
  upgrade: 0,
  rollingUpgrade: 1,
  upgradeShard: 2,
  fallback: 3,
  backup: 4,
  verifyBackup: 5,
  scheduledBackup: 6,
  pruneBackups: 7,
  restore: 8,
  archive: 9,
  drDrill: 10,
  scheduledDrill: 11,
  assess: 12,
  staging: 13,
} as const;

/** Everybody's entries by time; what the root also wrote down for a child is told once. */
export function mergeTimelines(timelines: readonly (readonly TimelineEntry[])[]): TimelineEntry[] {
  return unique(
    timelines.flat().sort((a, b) => a.at.localeCompare(b.at)),
    ({ at, kind, shard, node, text }) => [at, kind, shard, node, text].join(' '),
  );
}

function unique<T>(items: readonly T[], key: (item: T) => string): T[] {
  const seen = new Map<string, T>();
  for (const item of items) if (!seen.has(key(item))) seen.set(key(item), item);
  return [...seen.values()];
}
