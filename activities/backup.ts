import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { BackupStore } from '../integrations/backup-store.js';
import type { SealedShard } from '../model/backup-manifest.js';
import type { Deployment } from '../model/deployment.js';
import type { BackupRecord, RestorePoint } from '../model/evidence.js';
import { RolloutError } from '../model/failures.js';
import { satisfies } from '../model/release.js';
import type { EvidenceActivities } from '../model/work.js';
import { at } from '../redis/connection.js';
import { pullSnapshot, releaseFromAux } from '../redis/snapshot.js';
import { backupSource } from './backup-source.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { putManifest, sealShard } from './sealed-backup.js';
import { writeWhole } from './write-whole.js';

/** Beside an operation's records once every shard is in: only such a folder is a backup of the deployment. */
export const COMPLETE = 'complete.json';

/** What is noted of a shard's backup in the operation's folder; of a sealed one, what its manifest is to say. */
type Noted = BackupRecord & { sealed?: SealedShard };
type Taking = Parameters<EvidenceActivities['backUpShard']>[0];

/** Backups that upgrades take before they change anything: snapshots on this machine, or, with a key, sealed into the target. */
export function backupActivities(
  dependencies: Dependencies,
): Pick<EvidenceActivities, 'backUpShard' | 'completeBackup'> {
  return {
    // One that was noted is not taken again.
    backUpShard: (input) =>
      heartbeating(async (progress) => {
        const context = await contextFor(dependencies, input);
        const folder = join(allBackups(context.deployment), folderOf(input));
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const note = join(folder, `${input.shard}.json`);
        const known = await readFile(note, 'utf8').catch(() => undefined);
        if (known !== undefined) return JSON.parse(known) as BackupRecord;
        const taken =
          context.deployment.backup.encryption === undefined
            ? { record: await pull(context, input, { folder, tell: progress }) }
            : await seal(context, input, progress);
        const { record, ...sealed } = taken;
        await writeWhole(note, JSON.stringify({ ...record, ...sealed, deployment: input.deployment }, null, 2));
        return record;
      }),

    completeBackup: (input) =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        const { deployment } = context;
        const all = allBackups(deployment);
        const own = join(all, folderOf(input));
        const noted = await Promise.all(input.shards.map((shard) => readNote(own, shard)));
        const sealed = noted.flatMap((it) => it.sealed ?? []);
        if (sealed.length > 0) await complete(context, input, sealed);
        const done = { deployment: deployment.name, shards: input.shards };
        await writeWhole(join(own, COMPLETE), JSON.stringify(done, null, 2));
        await prune(all, own, deployment.backup.keep);
      }),
  };
}

async function pull(
  context: Context,
  { shard, primary, replicas }: Taking,
  { folder, tell }: { folder: string; tell: (progress: unknown) => void },
): Promise<BackupRecord> {
  const { endpoint, signal } = context;
  const source = await backupSource((address) => context.connect(address), [primary, ...replicas]);
  const { summary, ...snapshot } = await pullSnapshot({
    from: at(endpoint, source),
    file: join(folder, `${shard}.rdb`),
    onProgress: ({ bytes, total }) => tell({ bytes, total }),
    signal,
  });
  const release = releaseFromAux(summary.aux);
  return { shard, ...snapshot, ...(release === undefined ? {} : { release }) };
}

async function seal(
  context: Context,
  taking: Taking,
  tell: (progress: unknown) => void,
): Promise<{ record: BackupRecord; sealed: SealedShard }> {
  const at = new Date().toISOString();
  const { backup } = taking;
  const store = await BackupStore.open(context.deployment);
  const sealed = await sealShard(context, store, taking, tell);
  return { record: { ...pointOf(sealed, { store, backup, at }), rdbVersion: sealed.rdbVersion }, sealed };
}

/** A sealed shard as what could be restored. @param at when it was asked for: what is newer may not be in it */
const pointOf = (
  { shard, node, object, rdb, keys, release, replid, offset }: SealedShard,
  { store, backup, at }: { store: BackupStore; backup: string; at: string },
): RestorePoint => ({
  ...{ shard, node, file: store.nameOf(object), sealedIn: backup, ...rdb, keys, replid, offset, at },
  ...(release === undefined ? {} : { release }),
});

async function complete(
  context: Context,
  { shards, backup, startedBy, startedAt, before }: Parameters<EvidenceActivities['completeBackup']>[0],
  sealed: readonly SealedShard[],
): Promise<void> {
  if (sealed.length < shards.length)
    throw new RolloutError(
      'Stopped',
      'backup.encryption was set while the backup was taken, and some of it lies unencrypted in backup.directory: start again',
    );
  try {
    await putManifest(context, { backup, startedBy, startedAt, before }, sealed);
  } catch (error) {
    // A node that is away for a moment is no reason to begin anew.
    if (!(error instanceof RolloutError) || error.type !== 'Degraded') throw error;
    throw new RolloutError('RolesUnsettled', error.message, { cause: error });
  }
}

const readNote = async (folder: string, shard: string): Promise<Noted> =>
  JSON.parse(await readFile(join(folder, `${shard}.json`), 'utf8')) as Noted;

/** One an operation; of several hops, one before each. */
const folderOf = ({ operation, hop }: { operation: string; hop?: string }): string =>
  `${basename(operation)}${hop === undefined ? '' : `-before-${hop}`}`;

const allBackups = ({ backup, name }: { backup: { directory: string }; name: string }): string =>
  resolve(backup.directory, name);

/**
 * Keeps the newest `keep` complete backups, the one in hand among them. Incomplete ones go first: their operations have
 * ended, since one operation of a deployment runs at a time.
 */
export async function prune(all: string, own: string, keep: number): Promise<void> {
  const folders = await Promise.all(
    (await readdir(all, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory() && join(all, entry.name) !== own)
      .map(async ({ name }) => {
        const path = join(all, name);
        const complete = await stat(join(path, COMPLETE)).catch(() => undefined);
        return { path, at: complete?.mtimeMs };
      }),
  );
  const complete = folders.filter(({ at }) => at !== undefined).sort((a, b) => (b.at ?? 0) - (a.at ?? 0));
  for (const { path } of [...folders.filter(({ at }) => at === undefined), ...complete.slice(keep - 1)])
    await rm(path, { recursive: true, force: true });
}

/**
 * The newest backup of an upgrade that is complete and of this release, each shard's as a point to restore it from; none where
 * there is none. Of a way in hops there is one before each. The target is looked through where backups are sealed, and this
 * machine for those from before that.
 *
 * @throws RolloutError Unreachable, Unauthorized where the target can't be read
 */
export async function newestBackup(deployment: Deployment, of: string): Promise<RestorePoint[]> {
  const isOf: IsOf = ({ release }) => release === undefined || satisfies(release, of);
  const { encryption } = deployment.backup;
  const sealed = encryption === undefined ? [] : await newestSealed(deployment, isOf);
  const here = await newestHere(deployment, isOf);
  const takenAt = ([first]: RestorePoint[]): string => first?.at ?? '';
  return takenAt(here) > takenAt(sealed) ? here : sealed.length > 0 ? sealed : here;
}

type IsOf = (of: { release?: string | undefined }) => boolean;

async function newestSealed(deployment: Deployment, isOf: IsOf): Promise<RestorePoint[]> {
  const store = await BackupStore.open(deployment);
  for (const backup of await store.ids()) {
    const manifest = await store.manifest(backup).catch((error: unknown) => {
      if (error instanceof RolloutError && error.type === 'Damaged') return undefined;
      throw error;
    });
    if (manifest?.before === undefined || !manifest.shards.every(isOf)) continue;
    return manifest.shards.map((shard) => pointOf(shard, { store, backup, at: manifest.startedAt }));
  }
  return [];
}

async function newestHere(deployment: Deployment, isOf: IsOf): Promise<RestorePoint[]> {
  const all = allBackups(deployment);
  const names = await readdir(all).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(all, name, COMPLETE)).catch(() => undefined))?.mtimeMs })),
  );
  const newestFirst = found.filter(({ at }) => at !== undefined).sort((a, b) => (b.at ?? 0) - (a.at ?? 0));
  for (const { name } of newestFirst) {
    const folder = join(all, name);
    const { shards } = JSON.parse(await readFile(join(folder, COMPLETE), 'utf8')) as { shards: string[] };
    const noted = await Promise.all(shards.map((shard) => readNote(folder, shard)));
    // Notes of earlier versions don't say the release: the file is looked at before it is restored.
    if (noted.every((it) => it.sealed === undefined && isOf(it))) return noted;
  }
  return [];
}
