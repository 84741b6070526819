import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, type Dirent } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, rmdir, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { RolloutError } from '../model/failures.js';
import type { StoredObject } from '../model/leftovers.js';
import type { BackupTarget, Stored } from './backup-target.js';
import { damaged } from './sealed.js';

const PARTIAL = '.partial';
const PARTIAL_NAME = /\.[0-9a-f]{8}\.partial$/;
const READ_BYTES = 256 * 1024;

/** A folder of the worker's machine, or of a network disk that it has mounted. Readable by the worker's user alone. */
export function folderTarget(folder: string): BackupTarget {
  return {
    name: folder,

    put: (object, content) => written(join(folder, object), content, { tidy: true }),

    // Where thousands of objects lie in one folder, looking for leftovers with each would take longer than writing it.
    putAtOnce: (object, content) => written(join(folder, object), [content], { tidy: false }),

    async putNew(object, content) {
      try {
        // Unlike a rename, a link fails where there is one already.
        await written(join(folder, object), [content], { tidy: false, name: link });
        return true;
      } catch (error) {
        if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'EEXIST') return false;
        throw error;
      }
    },

    async *get(object) {
      const file = join(folder, object);
      try {
        yield* createReadStream(file, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>;
      } catch (error) {
        throw (error as NodeJS.ErrnoException).code === 'ENOENT'
          ? damaged(object, `it is missing in ${folder}`)
          : failureOf(error, file);
      }
    },

    list: async (prefix) => (await filesBelow(folder, prefix)).filter((name) => !name.endsWith(PARTIAL)),

    async objects(prefix) {
      const names = (await filesBelow(folder, prefix)).filter((name) => !name.endsWith(PARTIAL));
      const found = await Promise.all(names.map((object) => looked(folder, object)));
      return found.flatMap((it) => it ?? []);
    },

    async unfinished(prefix) {
      const names = (await filesBelow(folder, prefix)).filter((name) => name.endsWith(PARTIAL));
      const found = await Promise.all(names.map((name) => looked(folder, name)));
      // It is written to until it is finished.
      return found.flatMap((it) =>
        it ? [{ object: it.object.replace(PARTIAL_NAME, ''), id: it.object, begunAt: it.modifiedAt }] : [],
      );
    },

    abort: ({ id }) => removed(folder, id),
    // The owner of a folder can always remove what is in it.
    lockedUntil: () => Promise.resolve(undefined),

    async remove(object) {
      await removed(folder, object);
      return true;
    },
  };
}

async function written(
  file: string,
  content: AsyncIterable<Buffer> | Iterable<Buffer>,
  { tidy, name = rename }: { tidy: boolean; name?: (partial: string, file: string) => Promise<void> },
): Promise<Stored> {
  // Its own: an attempt that hung and wakes finds its file gone, and can't give another's a name.
  const partial = `${file}.${randomBytes(4).toString('hex')}${PARTIAL}`;
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    const handle = await begun(partial);
    if (tidy) await removePartials(file, partial);
    try {
      for await (const chunk of content) {
        for (let at = 0; at < chunk.length;) at += (await handle.write(chunk, at)).bytesWritten;
        hash.update(chunk);
        bytes += chunk.length;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await name(partial, file);
    await rm(partial, { force: true });
    await synced(dirname(file));
  } catch (error) {
    await rm(partial, { force: true });
    throw failureOf(error, file);
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Whoever removes the last file of a folder removes the folder, too: it may be gone between its making and its first file. */
async function begun(partial: string): Promise<FileHandle> {
  for (let left = 100; ; left--)
    try {
      await mkdir(dirname(partial), { recursive: true, mode: 0o700 });
      return await open(partial, 'wx', 0o600);
    } catch (error) {
      if (left === 0 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
}

async function filesBelow(folder: string, prefix: string): Promise<string[]> {
  const from = prefix.lastIndexOf('/') + 1;
  const within = join(folder, prefix.slice(0, from));
  // What lies beside, such as a million segments of an archive, is not read.
  const named = (await entriesOf(within)).filter(({ name }) => name.startsWith(prefix.slice(from)));
  const below = await Promise.all(named.map(filesOf));
  return below
    .flat()
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).split(sep).join('/'))
    .sort();
}

/** Folder by folder: where one vanishes as it is read, all others are read all the same, which readdir's own way does not do. */
async function filesOf(entry: Dirent): Promise<Dirent[]> {
  if (!entry.isDirectory()) return entry.isFile() ? [entry] : [];
  const below = await entriesOf(join(entry.parentPath, entry.name));
  return (await Promise.all(below.map(filesOf))).flat();
}

/** None where there is no such folder. */
async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw failureOf(error, folder);
  });
}

/** Undefined where it has gone since its name was read. */
async function looked(folder: string, object: string): Promise<StoredObject | undefined> {
  try {
    const { size, mtimeMs } = await stat(join(folder, object));
    return { object, bytes: size, modifiedAt: Math.round(mtimeMs) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw failureOf(error, join(folder, object));
  }
}

/** With the folders that it leaves empty. */
async function removed(folder: string, object: string): Promise<void> {
  const file = join(folder, object);
  try {
    await rm(file, { force: true });
    for (let below = dirname(object); below !== '.'; below = dirname(below)) await rmdir(join(folder, below));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOENT') throw failureOf(error, file);
  }
}

/** Of attempts that died. */
async function removePartials(file: string, own: string): Promise<void> {
  for (const name of await readdir(dirname(file)))
    if (name.startsWith(`${basename(file)}.`) && name.endsWith(PARTIAL) && name !== basename(own))
      await rm(join(dirname(file), name), { force: true });
}

/** So that the name, too, outlives a crash of the machine. */
async function synced(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function failureOf(error: unknown, path: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof RolloutError || code === undefined || !('syscall' in (error as object))) return error;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new RolloutError('NoSpace', `${path}: the disk is full`, { cause: error });
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new RolloutError('Unauthorized', `${path}: this user may not use it (${code})`, { cause: error });
  return new RolloutError('Unreachable', `${path}: ${message}`, { cause: error });
}
