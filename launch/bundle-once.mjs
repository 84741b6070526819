// @ts-check
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder } from './cache.mjs';

/** A bundle that nothing was started from for this long goes, ms, unless it is one of the project's latest. */
const UNUSED_MS = 86_400_000;
/** So many stay: what runs may still read a part of the bundle that it was started from. */
const LATEST = 5;
/** A lock is held for seconds: an older one is of somebody who was killed, whoever has that process id now. */
const LEFT_MS = 60_000;

/**
 * The folder of the bundle of a state of the sources, made by whoever comes first; the others wait for it. It is there
 * whole or not at all.
 *
 * @param {{ root: string, programs: readonly string[], state: string }} sources
 * @returns {Promise<string>}
 */
export async function bundleOnce({ root, programs, state }) {
  const ofAll = join(cacheFolder(), 'programs');
  const ofProject = join(ofAll, createHash('sha256').update(root).digest('hex').slice(0, 16));
  const folder = join(ofProject, state);
  if (existsSync(folder)) {
    await markUsed(folder);
    return folder;
  }
  await mkdir(ofProject, { recursive: true });
  await writeFile(join(ofProject, 'project'), root);
  const release = await lock(`${folder}.lock`);
  const unfinished = `${folder}.${process.pid}`;
  try {
    if (existsSync(folder)) return folder;
    const { buildPrograms } = await import('./build.mjs');
    await buildPrograms(root, programs, unfinished);
    await rename(unfinished, folder).catch((error) => {
      // Somebody thought us dead, and was as fast.
      if (!existsSync(folder)) throw error;
    });
    await removeUnused(ofProject);
    await removeProjectless(ofAll);
    return folder;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
    await release();
  }
}

/** Its time is when it was used last, to the hour. */
async function markUsed(/** @type {string} */ folder) {
  if (Date.now() - (await stat(folder)).mtimeMs > 3_600_000) await utimes(folder, new Date(), new Date());
}

/** Two may hold it where both find the one that held it dead: then both make the same. */
async function lock(/** @type {string} */ path) {
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' });
      return () => rm(path, { force: true });
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    if (await isLeft(path)) await rm(path, { force: true });
    else await sleep(50);
  }
}

async function isLeft(/** @type {string} */ path) {
  const since = await stat(path).catch(() => undefined);
  if (since === undefined) return false;
  if (Date.now() - since.mtimeMs > LEFT_MS) return true;
  const pid = Number(await readFile(path, 'utf8').catch(() => ''));
  // Empty while its owner writes it.
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'ESRCH';
  }
}

async function removeUnused(/** @type {string} */ ofProject) {
  const all = await Promise.all(
    (await readdir(ofProject, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory())
      .map(async ({ name }) => {
        const path = join(ofProject, name);
        return { path, used: (await stat(path).catch(() => ({ mtimeMs: 0 }))).mtimeMs };
      }),
  );
  const earlier = all.sort((a, b) => b.used - a.used).slice(LATEST);
  for (const { path, used } of earlier)
    if (Date.now() - used > UNUSED_MS) await rm(path, { recursive: true, force: true });
}

/** Those of projects that are not there any more. */
async function removeProjectless(/** @type {string} */ ofAll) {
  for (const name of await readdir(ofAll)) {
    const root = await readFile(join(ofAll, name, 'project'), 'utf8').catch(() => undefined);
    if (root !== undefined && root !== '' && !existsSync(root))
      await rm(join(ofAll, name), { recursive: true, force: true });
  }
}
