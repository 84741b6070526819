import { createHash } from 'node:crypto';
import {
  backupManifest,
  backupsPrefix,
  backupVerdict,
  begunAt,
  isWhole,
  manifestObject,
  notWhole,
  shardObject,
  verdictObject,
  type BackupManifest,
  type BackupVerdict,
  type SealedShard,
} from '../model/backup-manifest.js';
import type { Deployment } from '../model/deployment.js';
import { RolloutError } from '../model/failures.js';
import { isOfBackup, LEFT_MS, leftoversOf, type Leftover, type Unfinished } from '../model/leftovers.js';
import type { KnownBackup } from '../model/retention.js';
import { backupTarget, type BackupTarget, type Stored } from './backup-target.js';
import { getDocument, putDocument } from './documents.js';
import { compress, decompress } from './gzip.js';
import { damaged, seal, sealingKeys, unseal, type SealingKeys } from './sealed.js';

export interface BackupEntry {
  manifest: BackupManifest;
  verdict?: BackupVerdict;
}

/** Of those that have every slot, and whose manifest can be read. */
export const manifestsOf = (
  entries: readonly (BackupEntry | { backup: string; problem: string })[],
): BackupManifest[] =>
  entries.flatMap((entry) => ('manifest' in entry && isWhole(entry.manifest) ? [entry.manifest] : []));

/** As retention looks at it. */
export function knownBackup(entry: BackupEntry | { backup: string; problem: string }): KnownBackup {
  if ('problem' in entry) return { backup: entry.backup, startedAt: begunAt(entry.backup), state: 'damaged' };
  const { manifest, verdict } = entry;
  const states = { restored: 'proven', read: 'good', damaged: 'damaged' } as const;
  return {
    ...{ backup: manifest.backup, startedAt: Date.parse(manifest.startedAt), tier: manifest.tier },
    ...{ ofUpgrade: manifest.before !== undefined, partial: !isWhole(manifest) },
    state: verdict === undefined ? 'good' : states[verdict.result],
  };
}

/** The backups of one deployment, in their target. */
export class BackupStore {
  private constructor(
    private readonly deployment: Deployment,
    private readonly target: BackupTarget,
  ) {}

  /** @throws RolloutError Unauthorized, naming a reference of the deployment file */
  static async open(deployment: Deployment): Promise<BackupStore> {
    return new BackupStore(deployment, await backupTarget(deployment.backup));
  }

  /** For people. */
  get name(): string {
    return this.target.name;
  }

  /** @throws RolloutError BadDeploymentFile, Unauthorized */
  keys(): Promise<SealingKeys> {
    const { encryption } = this.deployment.backup;
    if (encryption === undefined)
      throw new RolloutError(
        'BadDeploymentFile',
        `${this.deployment.name}: backup.encryption is missing: nothing leaves the worker that isn't encrypted (docs/backups.md)`,
      );
    return sealingKeys([encryption.key, ...encryption.olderKeys]);
  }

  /** What an object is called for people. */
  nameOf(object: string): string {
    return `${this.name}/${object}`;
  }

  /** Fails where the target can't be used at all. @throws RolloutError Unreachable, Unauthorized, BadDeploymentFile */
  async check(): Promise<void> {
    await this.target.list(`${this.deployment.name}/none`);
  }

  /** A shard's snapshot, compressed and encrypted on its way. */
  async putShard(
    { backup, shard, keys }: { backup: string; shard: string; keys: SealingKeys },
    snapshot: AsyncIterable<Buffer>,
  ): Promise<Stored & { object: string }> {
    const { name } = this.deployment;
    const object = shardObject(name, backup, shard);
    const as = { deployment: name, backup, object };
    return { object, ...(await this.target.put(object, seal(compress(snapshot), { keys, as }))) };
  }

  /**
   * A shard's snapshot as the server sent it. What is given out is authentic; but it is whole, and as its manifest says,
   * only once this has come to its end.
   *
   * @throws RolloutError Damaged, naming the object; Unauthorized where its key isn't at hand; Unreachable
   */
  async *getShard(
    backup: string,
    { object, sealed, rdb, key }: SealedShard,
    keys: SealingKeys,
  ): AsyncGenerator<Buffer, void, void> {
    if (!keys.ids.includes(key))
      throw new RolloutError(
        'Unauthorized',
        `${object} was sealed with key ${key}, and backup.encryption names ${keys.ids.join(', ')}: add it to olderKeys`,
      );
    const as = { deployment: this.deployment.name, backup, object };
    const stored = checked(this.target.get(object), { what: 'object', object, ...sealed });
    const opened = decompress(unseal(stored, { keys, as }));
    yield* checked(opened, { what: 'snapshot in it', object, ...rdb });
  }

  async putManifest(manifest: BackupManifest): Promise<void> {
    await putDocument(this.target, manifestObject(manifest.deployment, manifest.backup), manifest);
  }

  /** @throws RolloutError Damaged, naming the object */
  async manifest(backup: string): Promise<BackupManifest> {
    const { name } = this.deployment;
    const object = manifestObject(name, backup);
    const manifest = await getDocument(this.target, object, backupManifest);
    if (manifest.deployment !== name || manifest.backup !== backup)
      throw damaged(object, `it is the manifest of ${manifest.deployment} ${manifest.backup}`);
    const lack = notWhole(manifest.shards);
    if (lack !== undefined && manifest.before === undefined) throw damaged(object, lack);
    return manifest;
  }

  /** A shard of a backup. @throws RolloutError BadInput where it has none of that name; Damaged */
  async shard(backup: string, name: string): Promise<SealedShard> {
    const { shards } = await this.manifest(backup);
    const shard = shards.find((it) => it.shard === name);
    if (!shard) throw new RolloutError('BadInput', `backup ${backup} has no ${name}`);
    return shard;
  }

  async putVerdict(verdict: BackupVerdict): Promise<void> {
    await putDocument(this.target, verdictObject(this.deployment.name, verdict.backup), verdict);
  }

  /** Ids of the backups that have a manifest, the newest first. */
  async ids(): Promise<string[]> {
    return (await this.#objects()).ids;
  }

  /** Every backup with what is known of it, the newest first; of one whose manifest can't be read, why. */
  async all(): Promise<(BackupEntry | { backup: string; problem: string })[]> {
    const { ids, verdicts } = await this.#objects();
    const entries: (BackupEntry | { backup: string; problem: string })[] = [];
    for (const backup of ids)
      try {
        const manifest = await this.manifest(backup);
        const object = verdictObject(this.deployment.name, backup);
        const verdict = verdicts.has(object) ? await getDocument(this.target, object, backupVerdict) : undefined;
        entries.push({ manifest, ...(verdict === undefined ? {} : { verdict }) });
      } catch (error) {
        if (!(error instanceof RolloutError) || error.type !== 'Damaged') throw error;
        entries.push({ backup, problem: error.message });
      }
    return entries;
  }

  /** Of those that have every slot, and whose manifest can be read; the newest first. */
  async manifests(): Promise<BackupManifest[]> {
    return manifestsOf(await this.all());
  }

  /** What failed backups left, long enough ago that nobody works at it. @param now Unix ms */
  async leftovers(now: number): Promise<Leftover[]> {
    const { name } = this.deployment;
    const all = backupsPrefix(name);
    const [objects, unfinished] = [await this.target.objects(all), await this.target.unfinished(all)];
    return leftoversOf(name, { objects, unfinished }, now);
  }

  /**
   * Ends what dead workers have begun beside the backups, where nobody who came after them has: larger segments of the archive, and
   * in a folder files of any kind.
   *
   * @param now Unix ms
   */
  async tidy(now: number): Promise<void> {
    for (const one of await this.target.unfinished(`${this.deployment.name}/`))
      if (!isOfBackup(one) && one.begunAt < now - LEFT_MS) await this.target.abort(one);
  }

  /** Objects of a backup, its manifest first: without that it is none any more. */
  async objectsOf(backup: string): Promise<string[]> {
    const { name } = this.deployment;
    const manifest = manifestObject(name, backup);
    const objects = await this.target.list(`${name}/${backup}/`);
    return [...objects.filter((it) => it === manifest), ...objects.filter((it) => it !== manifest)];
  }

  /**
   * Removes objects in this order, and none of them where one is locked.
   *
   * @param inTime throws where it is too late for it
   * @returns what keeps it from going, as a sentence goes on after `until `; undefined where it is gone
   */
  async remove(objects: readonly string[], inTime: () => void = () => undefined): Promise<string | undefined> {
    for (const object of objects) {
      const until = await this.target.lockedUntil(object);
      if (until !== undefined) return until;
    }
    // Without its manifest it is no backup: whoever looks for it then does not find it.
    inTime();
    for (const object of objects)
      if (!(await this.target.remove(object))) return `the store lets go of ${object}, which it says is locked`;
    return undefined;
  }

  abort(unfinished: Unfinished): Promise<void> {
    return this.target.abort(unfinished);
  }

  /** Are the shards of a manifest there, as large as they were? @throws RolloutError Damaged, naming the object */
  async expectThere({ backup, shards }: Pick<BackupManifest, 'backup' | 'shards'>): Promise<void> {
    const found = new Map(
      (await this.target.objects(`${this.deployment.name}/${backup}/`)).map(({ object, bytes }) => [object, bytes]),
    );
    for (const { object, sealed } of shards) {
      const bytes = found.get(object);
      if (bytes === undefined)
        throw damaged(object, `it is missing in ${this.name}: somebody has removed it meanwhile`);
      if (bytes !== sealed.bytes) throw damaged(object, `it has ${bytes} bytes, and ${sealed.bytes} were put`);
    }
  }

  async #objects(): Promise<{ ids: string[]; verdicts: ReadonlySet<string> }> {
    const objects = await this.target.list(backupsPrefix(this.deployment.name));
    const ids = objects.map((object) => /^[^/]+\/([^/]+)\/manifest\.json$/.exec(object)?.[1]);
    const verdicts = objects.filter((object) => object.endsWith('/verdict.json'));
    return { ids: ids.filter((id) => id !== undefined).reverse(), verdicts: new Set(verdicts) };
  }
}

/** Passes it on, and at its end compares it with what the manifest says. */
async function* checked(
  source: AsyncIterable<Buffer>,
  { what, object, ...expected }: Stored & { what: string; object: string },
): AsyncGenerator<Buffer, void, void> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of source) {
    hash.update(chunk);
    bytes += chunk.length;
    yield chunk;
  }
  if (bytes !== expected.bytes)
    throw damaged(object, `the ${what} has ${bytes} bytes, the manifest says ${expected.bytes}`);
  if (hash.digest('hex') !== expected.sha256) throw damaged(object, `the ${what} is another than the manifest says`);
}
