import { activityInfo } from '@temporalio/activity';
import { BackupStore } from '../integrations/backup-store.js';
import { manifestOf, notWhole, type BackupManifest, type SealedShard } from '../model/backup-manifest.js';
import { RolloutError } from '../model/failures.js';
import { formatSlots, type TopologyView } from '../model/topology.js';
import type { ShardToSeal } from '../model/work.js';
import type { BackupActivities } from '../model/backup-work.js';
import { at } from '../redis/connection.js';
import { readInfo } from '../redis/node.js';
import { openSnapshot, releaseFromAux } from '../redis/snapshot.js';
import { readAccounts } from '../redis/topology.js';
import { backupSource } from './backup-source.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';

/** Backups that people ask for: streamed, encrypted, into the target of the deployment file. */
export function sealedBackupActivities(
  dependencies: Dependencies,
): Pick<BackupActivities, 'beginBackup' | 'sealShard' | 'endBackup'> {
  return {
    beginBackup: (input) =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        const store = await BackupStore.open(context.deployment);
        const keys = await store.keys();
        await store.check();
        const shards = (await stillSlots(context)).map(({ name, slots, primary, replicas }) => ({
          shard: name,
          slots,
          primary: primary.address,
          replicas: replicas.map(({ address }) => address),
        }));
        return { shards, target: store.name, key: keys.id };
      }),

    // Begun anew where an attempt died: the stream can't be gone on with, since no server keeps a snapshot for us.
    sealShard: (input) =>
      heartbeating(async (progress) => {
        const context = await contextFor(dependencies, input);
        return sealShard(context, await BackupStore.open(context.deployment), input, progress);
      }),

    endBackup: (input) =>
      heartbeating(async () => {
        const { backup, startedBy, tier, startedAt, shards } = input;
        const about = { backup, startedBy, ...(tier === undefined ? {} : { tier }), startedAt };
        return putManifest(await contextFor(dependencies, input), about, shards);
      }),
  };
}

/**
 * Writes the manifest, where each shard still has the slots that it had: one that moved meanwhile may be in two snapshots, or
 * in none.
 *
 * @throws RolloutError Degraded; Damaged where an object is not there as it was put
 */
export async function putManifest(
  context: Context,
  about: Pick<BackupManifest, 'backup' | 'startedBy' | 'tier' | 'before' | 'startedAt'>,
  shards: readonly SealedShard[],
): Promise<BackupManifest> {
  const { name } = context.deployment;
  const now = (await stillSlots(context)).map(({ slots }) => formatSlots(slots));
  if (shards.some(({ slots }) => !now.includes(formatSlots(slots))))
    throw new RolloutError(
      'Degraded',
      `slots of ${name} moved from one shard to another while backup ${about.backup} was taken: it is none; take it again`,
    );
  // By Temporal's clock, as its beginning: a worker's may have jumped meanwhile.
  const endedAt = new Date(activityInfo().currentAttemptScheduledTimestampMs).toISOString();
  const manifest = manifestOf({ deployment: name, ...about, endedAt }, shards);
  const store = await BackupStore.open(context.deployment);
  await store.expectThere(manifest);
  await store.putManifest(manifest);
  return manifest;
}

/** Streams a shard's snapshot into the target, from whichever of its nodes is the best source now. */
export async function sealShard(
  context: Context,
  store: BackupStore,
  { backup, shard, slots, primary, replicas }: ShardToSeal & { backup: string },
  tell: (progress: unknown) => void,
): Promise<SealedShard> {
  const keys = await store.keys();
  const source = await backupSource((address) => context.connect(address), [primary, ...replicas]);
  await using snapshot = await openSnapshot({
    from: at(context.endpoint, source),
    onProgress: ({ bytes, total }) => tell({ bytes, total }),
    signal: context.signal,
  });
  const { object, ...sealed } = await store.putShard({ backup, shard, keys }, snapshot.chunks());
  const { summary, sha256 } = snapshot.whole();
  const release = releaseFromAux(summary.aux);
  const { keys: count, expires, databases, functions, rdbVersion, bytes } = summary;
  return {
    ...{ shard, slots, object, node: source, role: await roleOf(context, source) },
    ...(release === undefined ? {} : { release }),
    ...{ rdbVersion, keys: count, expires, databases, functions },
    ...{ replid: snapshot.replid, offset: snapshot.offset },
    ...{ rdb: { bytes, sha256 }, sealed, compression: 'gzip', key: keys.id },
    ...{ cutAt: new Date(snapshot.cutAt).toISOString(), endedAt: new Date().toISOString() },
  };
}

/** Asked afterwards: who was a replica then may have been promoted since, which is no harm. */
async function roleOf(context: Context, address: string): Promise<BackupManifest['shards'][number]['role']> {
  await using node = await context.connect(address);
  return (await readInfo(node, 'replication'))['role'] === 'master' ? 'primary' : 'replica';
}

/**
 * The shards, where every slot has its place and stays there.
 *
 * @throws RolloutError Degraded
 */
export async function stillSlots(
  { endpoint, deployment }: Context,
  otherwise = 'a backup would lack keys',
): Promise<TopologyView['shards']> {
  const { topology, accounts } = await readAccounts(endpoint, deployment.seeds);
  const open = accounts.flatMap(({ peers }) =>
    peers.filter(({ myself }) => myself).flatMap(({ openSlots }) => openSlots),
  );
  const problem = open.length > 0 ? `slots are on their way (${open.join(' ')})` : notWhole(topology.shards);
  if (problem === undefined) return topology.shards;
  throw new RolloutError('Degraded', `${deployment.name}: ${problem}: ${otherwise}`);
}
