import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { cacheFolder } from '../launch/cache.mjs';
import { bundleApart } from './bundle.js';

const root = join(import.meta.dirname, '..');
/** All that the workflows' bundle is made of. */
const sources = ['workflows', 'model', 'workers/bundle.ts', 'workers/bundle-process.ts', 'package-lock.json'];
/** A bundle that nobody has asked for this long goes, ms. */
const UNUSED_MS = 86_400_000;

/**
 * The workflows' bundle as a file, of this state of the sources: bundled once for all workers, since it takes a core
 * for four seconds.
 *
 * @param interceptors modules of workflow interceptors, of one file each
 * @returns its path; JSON of a WorkflowBundleWithSourceMap
 */
export async function bundleFile(interceptors: readonly string[] = []): Promise<string> {
  const folder = join(cacheFolder(), 'bundles');
  const file = join(folder, `${await stateOf([...sources.map((it) => join(root, it)), ...interceptors])}.json`);
  if (existsSync(file)) await utimes(file, new Date(), new Date());
  else {
    await mkdir(folder, { recursive: true });
    await writeFile(`${file}.${process.pid}`, JSON.stringify(await bundleApart(interceptors)));
    await rename(`${file}.${process.pid}`, file);
    await removeUnused(folder);
  }
  return file;
}

/** The same for a worker, which starts without a cache as well. */
export async function readBundle(): Promise<WorkflowBundleWithSourceMap> {
  try {
    return JSON.parse(await readFile(await bundleFile(), 'utf8')) as WorkflowBundleWithSourceMap;
  } catch (error) {
    // The cache can't be written to; that the workflows can't be bundled has no such code.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return bundleApart();
  }
}

/** A hash of names and contents. */
async function stateOf(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    const files = (await stat(path)).isDirectory() ? await filesIn(path) : [path];
    for (const file of files) hash.update(`${file}\n`).update(await readFile(file));
  }
  return hash.digest('hex').slice(0, 32);
}

const filesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();

async function removeUnused(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const used = await stat(path).catch(() => undefined);
    if (used && Date.now() - used.mtimeMs > UNUSED_MS) await rm(path, { force: true });
  }
}
