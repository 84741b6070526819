import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize } from 'node:path';
import { RolloutError } from '../../model/failures.js';
import type { FencingToken, PlatformNode } from '../platform.js';
import { fenced, ourFolder } from './fence.js';
import { copyTree, exists, syncFolder } from './files.js';
import { stillRuns, viewProcess } from './processes.js';

interface Kept {
  label: string;
  files: readonly string[];
}

/**
 * Copies files aside. A label points to a folder that was finished first, so it holds all of one call or nothing of
 * it, also when the worker dies in between. Keeping again under the same label replaces the whole of it.
 */
export const keepFiles = (node: PlatformNode, token: FencingToken, { label, files }: Kept): Promise<string[]> =>
  keepWhole(node, token, { label, fill: (staging) => copyAll(node.home, staging, files) });

/** As keepFiles, of what comes in a stream: under its label only once that has come to its end. */
export const bringFileIn = (
  node: PlatformNode,
  token: FencingToken,
  { label, file, content }: { label: string; file: string; content: AsyncIterable<Buffer> },
): Promise<void> =>
  keepWhole(node, token, {
    label,
    fill: async (staging) => {
      const path = join(staging, inside(file));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content, { mode: 0o600, flag: 'wx', flush: true });
      await syncFolder(dirname(path));
    },
  });

async function keepWhole<T>(
  node: PlatformNode,
  token: FencingToken,
  { label, fill }: { label: string; fill: (staging: string) => Promise<T> },
): Promise<T> {
  const link = labelPath(node, label);
  await fenced(node, token, () => sweep(node));
  const staging = join(ourFolder(node), `staging-${await ownName()}-${randomUUID()}`);
  await mkdir(staging, { mode: 0o700 });
  try {
    const kept = await fill(staging);
    return await fenced(node, token, async () => {
      const folder = join(ourFolder(node), `kept-${randomUUID()}`);
      await rename(staging, folder);
      const pointer = `${folder}.link`;
      await symlink(basename(folder), pointer);
      await rename(pointer, link);
      await syncFolder(ourFolder(node));
      await sweep(node);
      return kept;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Puts files of a label back; one that the label doesn't hold stays as it is. Safe to run again at any point. */
export async function restoreFiles(node: PlatformNode, token: FencingToken, { label, files }: Kept): Promise<string[]> {
  const link = labelPath(node, label);
  if (!(await exists(link)))
    throw new RolloutError('BadInput', `${node.address}: nothing was kept under '${label}' in ${ourFolder(node)}`);
  await fenced(node, token, () => sweep(node));
  const staging = join(ourFolder(node), `staging-${await ownName()}-${randomUUID()}`);
  await mkdir(staging, { mode: 0o700 });
  try {
    const found = await copyAll(link, staging, files);
    return await fenced(node, token, async () => {
      for (const file of found) {
        const [from, to] = [join(staging, file), join(node.home, file)];
        await mkdir(dirname(to), { recursive: true });
        // A folder can't be renamed over a folder that isn't empty: the old one steps aside first.
        if ((await isFolder(to)) || (await isFolder(from)))
          if (await exists(to)) await rename(to, join(staging, `replaced-${randomUUID()}`));
        await rename(from, to);
        await syncFolder(dirname(to));
      }
      return found;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** As keepFiles, and the originals are gone afterwards. Nothing is replaced where there is nothing left to take. */
export async function setFilesAside(
  node: PlatformNode,
  token: FencingToken,
  { label, files }: Kept,
): Promise<string[]> {
  const there: string[] = [];
  for (const file of files.map(inside)) if (await exists(join(node.home, file))) there.push(file);
  if (there.length === 0) return [];
  const kept = await keepFiles(node, token, { label, files: there });
  await fenced(node, token, async () => {
    for (const file of kept) await rm(join(node.home, file), { recursive: true, force: true });
    await syncFolder(node.home);
  });
  return kept;
}

export async function dropKept(node: PlatformNode, token: FencingToken, label: string): Promise<void> {
  await fenced(node, token, async () => {
    await rm(labelPath(node, label), { force: true });
    await sweep(node);
  });
}

async function copyAll(from: string, to: string, files: readonly string[]): Promise<string[]> {
  const copied: string[] = [];
  for (const file of files.map(inside)) {
    if (!(await exists(join(from, file)))) continue;
    await mkdir(dirname(join(to, file)), { recursive: true });
    await copyTree(join(from, file), join(to, file));
    copied.push(file);
  }
  await syncFolder(to);
  return copied;
}

/** Removes what no label points to, and the unfinished copies of workers that are gone. */
async function sweep(node: PlatformNode): Promise<void> {
  const ours = ourFolder(node);
  const names = await readdir(ours);
  const targets = new Set(await Promise.all(names.map((name) => readlink(join(ours, name)).catch(() => undefined))));
  for (const name of names) {
    const [, pid, started] = /^staging-(\d+)_([^-]*)-/.exec(name) ?? [];
    const abandoned =
      (name.startsWith('kept-') && !targets.has(name)) ||
      (pid !== undefined && !(await stillRuns({ pid: Number(pid), started: decodeURIComponent(started ?? '') })));
    if (abandoned || name.endsWith('.link')) await rm(join(ours, name), { recursive: true, force: true });
  }
}

async function ownName(): Promise<string> {
  const me = await viewProcess(process.pid);
  return `${process.pid}_${encodeURIComponent(me?.started ?? '').replaceAll('-', '%2D')}`;
}

async function isFolder(path: string): Promise<boolean> {
  return lstat(path).then(
    (it) => it.isDirectory(),
    () => false,
  );
}

export function labelPath(node: PlatformNode, label: string): string {
  if (!/^[a-z0-9][a-z0-9.-]{0,62}$/.test(label) || /^(lock|kept-|staging-|started|documents)/.test(label))
    throw new RolloutError(
      'BadInput',
      `expected a label of lower-case letters, digits, dots and dashes, found '${label}'`,
    );
  return join(ourFolder(node), label);
}

function inside(file: string): string {
  const path = normalize(file);
  if (isAbsolute(path) || path.startsWith('..') || path === '.')
    throw new RolloutError('BadInput', `expected a name within the node's folder, found '${file}'`);
  return path;
}
