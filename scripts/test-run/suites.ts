import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from './child.js';

export interface Suite {
  name: string;
  /** Folders under test/, as vitest's filters. */
  folders: readonly string[];
  /** Files at once. */
  atOnce: number;
}

/** Folders whose tests start no server: milliseconds each, so that a plain mistake is said first. */
export const quickFolders: readonly string[] = ['model', 'docs'];

/** Folders of few files each: one by one they would leave a core idle. */
const smallFolders: readonly string[] = [
  ...['integrations', 'launch', 'platforms', 'replay', 'sandbox', 'setup', 'test-run', 'workers'],
  ...['chaos', 'simulation'],
];

/** Slow ones last, in this order; what isn't named here comes between the quick and the slow. */
const late = ['scripts', 'e2e', 'faults'];

/** Half an hour of faults more; only where it is asked for. */
const thoroughOnly: readonly string[] = ['faults'];

/**
 * How many files at once: each starts servers of its own, and waits for them most of the time; a browser's tests wait for
 * it while those of pure functions run.
 */
const atOnce: Readonly<Record<string, number>> = { redis: 4, e2e: 3 };
const MOST = 2;

/**
 * One suite for the quick folders, one for the small ones, and one for each other that has a test file.
 *
 * @param only these folders
 * @param thorough those that take their time, too
 */
export async function suites(only?: readonly string[], thorough = false): Promise<Suite[]> {
  const test = join(projectRoot, 'test');
  const folders: string[] = [];
  for (const it of await readdir(test, { withFileTypes: true }))
    if (it.isDirectory() && (thorough || !thoroughOnly.includes(it.name)) && (await hasTests(join(test, it.name))))
      folders.push(it.name);
  const rank = (folder: string): number => late.indexOf(folder);
  const together = [quickFolders, smallFolders];
  const others = folders
    .filter((folder) => !together.flat().includes(folder))
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  const [quick = [], small = []] = together.map((some) => folders.filter((folder) => some.includes(folder)));
  return [quick, small, ...others.map((folder) => [folder])]
    .filter((names) => names.length > 0 && (only === undefined || names.some((name) => only.includes(name))))
    .map((names) => ({
      name: names.join(', '),
      folders: names.map((folder) => `test/${folder}/`),
      atOnce: Math.min(...names.map((folder) => atOnce[folder] ?? MOST)),
    }));
}

async function hasTests(folder: string): Promise<boolean> {
  return (await readdir(folder, { recursive: true })).some((name) => name.endsWith('.test.ts'));
}
