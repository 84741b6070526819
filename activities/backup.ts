import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { chooseBackupSource } from '../model/backup-source.js';
import type { Deployment } from '../model/deployment.js';
import type { BackupRecord } from '../model/evidence.js';
import { RolloutError } from '../model/failures.js';
import { satisfies } from '../model/release.js';
import type { NodeView } from '../model/topology.js';
import type { EvidenceActivities } from '../model/work.js';
import { at, type NodeConnection } from '../redis/connection.js';
import { readInfo } from '../redis/node.js';
import { pullSnapshot, releaseFromAux } from '../redis/snapshot.js';
import { nodeView } from '../redis/account.js';
import { contextFor, heartbeating } from './context.js';
import type { Dependencies } from './dependencies.js';

/** Beside an operation's manifests once every shard is in: only such a folder is a backup of the deployment. */
export const COMPLETE = 'complete.json';

export function backupActivities(
  dependencies: Dependencies,
): Pick<EvidenceActivities, 'backUpShard' | 'completeBackup'> {
  return {
    // One whose manifest is there is not taken again. A folder of this machine for now; object storage comes behind the
    // same activity.
    backUpShard: (input) =>
      heartbeating(async (progress) => {
        const context = await contextFor(dependencies, input);
        const { deployment, endpoint, signal } = context;
        const { shard, primary, replicas } = input;
        const folder = join(allBackups(deployment), folderOf(input));
        const manifest = join(folder, `${shard}.json`);
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const known = await readFile(manifest, 'utf8').catch(() => undefined);
        if (known !== undefined) return JSON.parse(known) as BackupRecord;

        const source = await backupSource((address) => context.connect(address), [primary, ...replicas]);
        const { summary, ...snapshot } = await pullSnapshot({
          from: at(endpoint, source),
          file: join(folder, `${shard}.rdb`),
          onProgress: ({ bytes, total }) => progress({ bytes, total }),
          signal,
        });
        const release = releaseFromAux(summary.aux);
        const record: BackupRecord = { shard, ...snapshot, ...(release === undefined ? {} : { release }) };
        await writeWhole(manifest, { ...record, deployment: deployment.name, databases: summary.databases });
        return record;
      }),

    completeBackup: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        const all = allBackups(deployment);
        const own = join(all, folderOf(input));
        await writeWhole(join(own, COMPLETE), { deployment: deployment.name, shards: input.shards });
        await prune(all, own, deployment.backup.keep);
      }),
  };
}

/** One an operation; of several hops, one before each. */
const folderOf = ({ operation, hop }: { operation: string; hop?: string }): string =>
  `${basename(operation)}${hop === undefined ? '' : `-before-${hop}`}`;

const allBackups = ({ backup, name }: { backup: { directory: string }; name: string }): string =>
  resolve(backup.directory, name);

/**
 * Where to take the shard's snapshot from, by what its nodes say now.
 *
 * @returns its `host:port`
 * @throws RolloutError Unreachable when the shard's primary can't be read: whether a replica has everything isn't known
 */
export async function backupSource(
  connect: (address: string) => Promise<NodeConnection>,
  nodes: readonly string[],
): Promise<string> {
  const refusals: string[] = [];
  const found = await Promise.all(
    nodes.map(async (address): Promise<NodeView | undefined> => {
      try {
        await using connection = await connect(address);
        return nodeView(address, '', await readInfo(connection));
      } catch (error) {
        refusals.push(error instanceof Error ? error.message : String(error));
        return undefined;
      }
    }),
  );
  const known = found.filter((node) => node !== undefined);
  const [primary, ...more] = known.filter((node) => node.role === 'primary');
  if (!primary || more.length > 0)
    throw new RolloutError(
      'Unreachable',
      `expected one primary among ${nodes.join(', ')}, found ${primary ? [primary, ...more].map((it) => it.address).join(', ') : 'none'}${refusals.length > 0 ? `: ${refusals.join('; ')}` : ''}`,
    );
  return chooseBackupSource(
    primary,
    known.filter((node) => node.role === 'replica'),
  ).address;
}

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
 * The newest backup that is complete and of this release, each shard's by its manifest; none where there is none. Of a way
 * in hops there is one before each.
 */
export async function newestBackup(deployment: Deployment, of: string): Promise<BackupRecord[]> {
  const all = allBackups(deployment);
  const names = await readdir(all).catch(() => []);
  const complete = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(all, name, COMPLETE)).catch(() => undefined))?.mtimeMs })),
  );
  const newestFirst = complete.filter(({ at }) => at !== undefined).sort((a, b) => (b.at ?? 0) - (a.at ?? 0));
  for (const { name } of newestFirst) {
    const folder = join(all, name);
    const { shards } = JSON.parse(await readFile(join(folder, COMPLETE), 'utf8')) as { shards: string[] };
    const records = await Promise.all(
      shards.map(async (shard) => JSON.parse(await readFile(join(folder, `${shard}.json`), 'utf8')) as BackupRecord),
    );
    // Manifests of earlier versions don't say it: the file is looked at before it is restored.
    if (records.every(({ release }) => release === undefined || satisfies(release, of))) return records;
  }
  return [];
}

async function writeWhole(path: string, content: unknown): Promise<void> {
  await writeFile(`${path}.partial`, JSON.stringify(content, null, 2), { mode: 0o600 });
  await rename(`${path}.partial`, path);
}
