import { constants } from 'node:fs';
import { copyFile, link, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Replaces a file as a whole: a reader sees the old text or the new, after a power cut too. For one writer at a time, who
 * holds the node: what a writer that died has left half written goes with the next one.
 */
export async function replaceFile(path: string, text: string, mode = 0o600): Promise<void> {
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** Copies a file or a folder to a place where nothing is yet, and makes it durable. */
export async function copyTree(from: string, to: string): Promise<void> {
  if ((await lstat(from)).isDirectory()) {
    await mkdir(to, { mode: 0o700 });
    for (const name of await readdir(from)) await copyTree(join(from, name), join(to, name));
    return syncFolder(to);
  }
  // A snapshot is written under another name and renamed, never changed in place, so its copy may share the inode and
  // costs nothing. Append-only files and nodes.conf are written in place: those are copied, by reference where the
  // file system can.
  if (from.endsWith('.rdb') && (await shares(from, to))) return;
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  await syncFile(to);
}

/** What was written to a file, or a folder's names, is on disk. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

export const syncFolder = syncFile;

export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function shares(from: string, to: string): Promise<boolean> {
  return link(from, to).then(
    () => true,
    () => false,
  );
}
