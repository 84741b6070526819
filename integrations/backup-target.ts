import { resolve, join } from 'node:path';
import type { Deployment } from '../model/deployment.js';
import type { StoredObject, Unfinished } from '../model/leftovers.js';
import { folderTarget } from './folder-target.js';
import { s3Target } from './s3-target.js';
import { resolveSecret } from './secrets.js';

/** What was put, counted and hashed on its way. */
export interface Stored {
  bytes: number;
  /** Hex. */
  sha256: string;
}

/** Where backups lie: objects by name, such as `orders/20261129T120000Z-1a2b3c4d/manifest.json`. */
export interface BackupTarget {
  /** For people, without secrets: `s3://backups/redis` or a folder. */
  readonly name: string;
  /**
   * Whole or not at all: an object that was begun and not finished is never seen. What an earlier attempt at the same object
   * left is aborted first, and an object of that name replaced. Nothing but a part is held.
   *
   * @throws RolloutError Unreachable, Unauthorized, NoSpace, BadDeploymentFile; or whatever `content` throws
   */
  put(object: string, content: AsyncIterable<Buffer>): Promise<Stored>;
  /**
   * As `put`, for what is small and at hand: in one request, and nothing of earlier attempts is looked for.
   *
   * @param options.unlocked it may be removed at any time, whatever `objectLock` says
   */
  putAtOnce(object: string, content: Buffer, options?: { unlocked?: boolean }): Promise<Stored>;
  /** As `putAtOnce`, unless there is an object of that name already: then nothing is changed, and the answer is false. */
  putNew(object: string, content: Buffer): Promise<boolean>;
  /** @throws RolloutError Damaged where there is no such object; Unreachable, Unauthorized, BadDeploymentFile */
  get(object: string): AsyncGenerator<Buffer, void, void>;
  /** Names of the objects that begin with this, sorted. @throws RolloutError Unreachable, Unauthorized, BadDeploymentFile */
  list(prefix: string): Promise<string[]>;
  /** The same with size and time. @throws as `list` */
  objects(prefix: string): Promise<StoredObject[]>;
  /** What was begun below this and not finished. @throws as `list` */
  unfinished(prefix: string): Promise<Unfinished[]>;
  /** Ends what was begun; one that is gone is no error. @throws as `list` */
  abort(unfinished: Unfinished): Promise<void>;
  /**
   * Until when nobody can remove it, as the store says: an instant, or `somebody lifts its legal hold`; undefined where
   * anybody can, or it isn't there.
   *
   * @throws as `list`
   */
  lockedUntil(object: string): Promise<string | undefined>;
  /**
   * Removes an object, and in a bucket that keeps versions all of them; one that is gone is no error.
   *
   * @returns false where the store refuses, the object being locked
   * @throws as `list`
   */
  remove(object: string): Promise<boolean>;
}

export type BackupPlace = Pick<Deployment['backup'], 'directory' | 'keep' | 'target'>;

/** Not the name of a deployment: beside the folders of snapshots that upgrades take. */
const FOLDER = '_backups';

/**
 * The target of a deployment's backups, with its secrets resolved; by default a folder beside the snapshots that upgrades
 * take.
 *
 * @throws RolloutError Unauthorized, naming a reference
 */
export async function backupTarget({ directory, target }: BackupPlace): Promise<BackupTarget> {
  if (target?.kind !== 's3') return folderTarget(resolve(target?.folder ?? join(directory, FOLDER)));
  const { accessKeyId, secretAccessKey, ...rest } = target;
  if (accessKeyId === undefined || secretAccessKey === undefined) return s3Target(rest);
  const credentials = {
    accessKeyId: await resolveSecret(accessKeyId),
    secretAccessKey: await resolveSecret(secretAccessKey),
  };
  return s3Target({ ...rest, credentials });
}
