// @ts-check
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** All that programs are made of. */
const folders = [
  'activities',
  'integrations',
  'launch',
  'model',
  'platforms',
  'redis',
  'scripts',
  'workers',
  'workflows',
];
/** Of the dependencies: which there should be, and which npm put there. */
const others = ['package.json', 'package-lock.json', join('node_modules', '.package-lock.json')];

/** What is started as a process: the scripts, and the files that are named so. */
const isProgram = (/** @type {string} */ path) => /^scripts[\\/][^\\/]+\.ts$|-process\.ts$/.test(path);

/**
 * The programs of a project, and a name for the state of its sources: of paths, sizes and times, which cost milliseconds
 * where the contents of all files would cost ten times as much.
 *
 * @param {string} root
 * @returns {{ state: string, programs: string[] }} programs: paths from the root
 */
export function readSources(root) {
  const hash = createHash('sha256').update(root);
  /** @type {string[]} */
  const programs = [];
  const add = (/** @type {string} */ path) => {
    const found = statSync(join(root, path), { throwIfNoEntry: false });
    if (found) hash.update(`\n${path} ${found.size} ${found.mtimeMs}`);
  };
  const walk = (/** @type {string} */ folder) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else add(path);
      if (isProgram(path)) programs.push(path);
    }
  };
  for (const folder of folders) if (statSync(join(root, folder), { throwIfNoEntry: false })) walk(folder);
  for (const file of others) add(file);
  return { state: hash.digest('hex').slice(0, 32), programs };
}
