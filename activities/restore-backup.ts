import { activityInfo } from '@temporalio/activity';
import { ArchiveStore } from '../integrations/archive-store.js';
import { BackupStore } from '../integrations/backup-store.js';
import { loadDeployment } from '../integrations/deployment-files.js';
import type { RestoreBeat, RestoreOf, RestoreTarget } from '../model/backup-restore.js';
import type { Deployment } from '../model/deployment.js';
import { RolloutError } from '../model/failures.js';
import { eachNode } from '../model/in-parallel.js';
import type { SlotRange } from '../model/topology.js';
import type { Order } from '../model/work.js';
import type { RestoreActivities, ShardToRestore } from '../model/backup-work.js';
import { parseInfo } from '../redis/info.js';
import { compareWithTarget } from '../redis/restore/compare.js';
import { noCounts, type RestoreCounts } from '../redis/restore/counts.js';
import { forecast } from '../redis/restore/forecast.js';
import { loadSnapshot, type SnapshotSource } from '../redis/restore/load.js';
import { missingForLoading } from '../redis/restore/rights.js';
import { othersThan } from '../redis/restore/others.js';
import { selects } from '../redis/restore/selection.js';
import { readTopology } from '../redis/topology.js';
import { holdBackup } from './backup-users.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { heldBackup } from './prove-backup.js';
import { resolvePoint } from './recovery-point.js';
import { stillSlots } from './sealed-backup.js';
import { snapshotAt } from './snapshot-at.js';

/** What an attempt says with its heartbeat: the next one goes on from `confirmed`, and `rollout status` shows the rest. */
interface Beat extends RestoreBeat {
  confirmed?: RestoreCounts;
}

/** Counts what it goes through, and how fast. */
function beats(
  { shard, expected }: ShardToRestore,
  doing: RestoreBeat['doing'],
  tell: (beat: Beat) => void,
): (done: number, confirmed?: RestoreCounts) => void {
  const begun = performance.now();
  let first: number | undefined;
  return (done, confirmed) => {
    first ??= done;
    const seconds = Math.max(0.001, (performance.now() - begun) / 1000);
    const keysPerSecond = Math.round((done - first) / seconds);
    tell({ shard, doing, done, expected, keysPerSecond, ...(confirmed ? { confirmed } : {}) });
  };
}

/** Backups that are loaded into a deployment that serves: its own, or another's. */
export function restoreActivities(dependencies: Dependencies): RestoreActivities {
  const open = async (input: Order & RestoreOf & ShardToRestore) => {
    const context = await contextFor(dependencies, input);
    const { endpoint, deployment, signal } = context;
    const meant = selects({
      ...(input.keys === undefined ? {} : { pattern: input.keys }),
      ...(input.slots === undefined ? {} : { slots: input.slots }),
    });
    const { source, slots } = await sourceOf(context, dependencies, input);
    return {
      source,
      whole: { open: source.open, keys: input.expected, slots },
      common: { endpoint, seeds: deployment.seeds, selects: meant, signal },
      attempt: {
        ...{ shard: input.shard, epoch: context.token.epoch },
        missedAfterMs: activityInfo().heartbeatTimeoutMs ?? 10_000,
      },
    };
  };
  return {
    beginRestore: (input) =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        const from = await deploymentOf(context, dependencies, input.from ?? input.deployment);
        const store = await BackupStore.open(from);
        const keys = await store.keys();
        const { signal } = context;
        const point =
          input.point &&
          (await resolvePoint(input.point, { backups: store, archive: await ArchiveStore.open(from), keys, signal }));
        const backup = await heldBackup(store, from, point?.backup ?? input.backup);
        const { shards, startedAt } = await store.manifest(backup);
        return {
          ...{ backup, from: from.name, takenAt: startedAt, ...(point ? { point } : {}) },
          shards: shards.map(({ shard, keys, rdb, release }) => ({
            ...{ shard, keys, bytes: rdb.bytes },
            ...(release === undefined ? {} : { release }),
          })),
          targets: await targetsOf(context),
          policy: context.deployment.policy,
          searchable: dependencies.searchable,
        };
      }),

    forecastShard: (input) =>
      heartbeating(async (progress) => {
        const { source, whole, common } = await open(input);
        const { shard, ask } = input;
        const onProgress = beats(input, 'reading', progress);
        const found = await forecast({ ...common, snapshot: source.open(), ask, onProgress });
        if (!ask || input.exactly !== true) return { shard, ...found };
        const { found: count, examples } = await othersThan({
          ...common,
          ...whole,
          onProgress: () => onProgress(found.keys),
        });
        return { shard, ...found, others: { count, examples } };
      }),

    loadShard: (input) =>
      heartbeating(async (progress) => {
        const begun = performance.now();
        const { source, common, attempt } = await open(input);
        const { shard, existing, functions, rate } = input;
        const before = (activityInfo().heartbeatDetails as Beat | undefined)?.confirmed;
        const beat = beats(input, 'loading', progress);
        const counts = await loadSnapshot({
          ...{ ...common, source, attempt, existing, functions, confirmed: before ?? noCounts() },
          ...(rate === undefined ? {} : { rate }),
          onProgress: ({ selected }, confirmed) => beat(selected, confirmed),
        });
        const { selected, written, kept, expired, refused, lacking, bytes } = counts;
        const tookMs = Math.round(performance.now() - begun);
        return { shard, selected, written, kept, expired, refused, lacking, bytes, tookMs };
      }),

    removeOthers: (input) =>
      heartbeating(async (progress) => {
        const { common, whole, attempt } = await open(input);
        const { shard } = input;
        // Of attempts that died, as far as they were heard of.
        const before = (activityInfo().heartbeatDetails as { removed?: number } | undefined)?.removed ?? 0;
        const onProgress = (seen: number, removed: number): void =>
          progress({ shard, seen, removed: before + removed });
        const { removed, left, examples } = await othersThan({ ...common, ...whole, remove: attempt, onProgress });
        return { shard, removed: before + removed, left, examples };
      }),

    countWrites: (input) => heartbeating(async () => writesOf(await contextFor(dependencies, input))),

    compareShard: (input) =>
      heartbeating(async (progress) => {
        const { source, common } = await open(input);
        const { shard } = input;
        const onProgress = beats(input, 'comparing', progress);
        const found = await compareWithTarget({ ...common, snapshot: source.open(), onProgress });
        return { shard, ...found };
      }),
  };
}

/** The deployment whose backup it is. */
async function deploymentOf(context: Context, { deployments }: Dependencies, name: string): Promise<Deployment> {
  return name === context.deployment.name ? context.deployment : loadDeployment(name, deployments);
}

/**
 * Where a shard's snapshot comes from: the object of the backup, whose keys come in the same order each time; or, of a point
 * between backups, a server of this machine that has played the archive back, which saves its keys in another order each time.
 */
async function sourceOf(
  context: Context,
  dependencies: Dependencies,
  { backup, from, shard, point }: RestoreOf & { shard: string },
): Promise<{ source: SnapshotSource; slots: SlotRange[] }> {
  const origin = await deploymentOf(context, dependencies, from);
  const store = await BackupStore.open(origin);
  const keys = await store.keys();
  await holdBackup(origin, backup);
  const sealed = await store.shard(backup, shard);
  const { slots } = sealed;
  if (!point) return { source: { open: () => store.getShard(backup, sealed, keys), sameOrder: true }, slots };
  const offset = point.shards.find((it) => it.shard === shard)?.offset;
  if (offset === undefined) throw new RolloutError('BadInput', `the point has no ${shard}`);
  const archive = await ArchiveStore.open(origin);
  // Its own server: that of the deployment which is written to may lack the release.
  const { servers } = origin.platform;
  const { signal } = context;
  const open = (): AsyncIterable<Buffer> =>
    snapshotAt({ backups: store, archive, keys, backup, shard: sealed, offset, servers, signal });
  return { source: { open, sameOrder: false }, slots };
}

/** @throws RolloutError Degraded where a slot has no place, or is on its way */
async function targetsOf(context: Context): Promise<RestoreTarget[]> {
  const shards = await stillSlots(context, 'keys would have no place');
  const user = context.endpoint.username ?? 'default';
  return eachNode(shards, async ({ name, primary }) => {
    const { address, release, keys, usedMemoryBytes, maxMemoryBytes } = primary;
    await using node = await context.connect(address);
    const commands = await missingForLoading(node, release, user);
    return {
      ...{ shard: name, address, release, keys, usedMemoryBytes, maxMemoryBytes },
      ...(commands.length === 0 ? {} : { mayNot: { user, commands } }),
    };
  });
}

/** What each primary counts of its changes: the same again where nobody wrote, and nothing expired. */
async function writesOf(context: Context): Promise<Record<string, string>> {
  const { shards } = await readTopology(context.endpoint, context.deployment.seeds);
  const counts = shards.map(async ({ primary: { address, runId } }) => {
    await using node = await context.connect(address);
    const info = parseInfo(String(await node.call('INFO', 'persistence')));
    return [
      address,
      `${runId} ${info['rdb_last_save_time'] ?? ''} ${info['rdb_changes_since_last_save'] ?? ''}`,
    ] as const;
  });
  return Object.fromEntries(await Promise.all(counts));
}
