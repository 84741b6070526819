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

/** Those that take a minute and more, and try in one more way what a quicker one tries; where they are asked for. */
export const thoroughFiles = '**/*.thorough.test.ts';

/** Faults that take their time; only where they are asked for, and last. */
const thoroughOnly: readonly string[] = ['faults'];

/** A browser's tests wait for it while those of pure functions run. */
const QUICK_AT_ONCE = 2;
/**
 * Files with servers, at once: some are at the processor while others wait for elections, for a dead worker's heartbeat, for servers.
 * With four, two cores were no sooner through (2,495 s in place of 2,540 s), and tests held apart by time came too near to each other.
 * They are one suite, the slow ones first (slow-first.ts): none is left to wait for alone at the end.
 */
const SERVERS_AT_ONCE = 3;
/** Strict deadlines of gates are part of them. */
const FAULTS_AT_ONCE = 2;

/**
 * One suite for the quick folders, one for all that start servers, and one for the faults.
 *
 * @param only these folders
 * @param thorough those that take their time, too
 */
export async function suites(only?: readonly string[], thorough = false): Promise<Suite[]> {
  const test = join(projectRoot, 'test');
  const folders: string[] = [];
  for (const it of await readdir(test, { withFileTypes: true }))
    if (it.isDirectory() && (await hasTests(join(test, it.name)))) folders.push(it.name);
  folders.sort();
  const late = (folder: string): boolean => thoroughOnly.includes(folder);
  const quick = (folder: string): boolean => quickFolders.includes(folder);
  return [
    { folders: folders.filter(quick), atOnce: QUICK_AT_ONCE },
    { folders: folders.filter((it) => !quick(it) && !late(it)), atOnce: SERVERS_AT_ONCE },
    { folders: thorough ? folders.filter(late) : [], atOnce: FAULTS_AT_ONCE },
  ]
    .map((suite) => ({ ...suite, folders: suite.folders.filter((it) => only?.includes(it) ?? true) }))
    .filter((suite) => suite.folders.length > 0)
    .map((suite) => ({
      name: suite.folders.join(', '),
      folders: suite.folders.map((folder) => `test/${folder}/`),
      atOnce: suite.atOnce,
    }));
}

async function hasTests(folder: string): Promise<boolean> {
  return (await readdir(folder, { recursive: true })).some((name) => name.endsWith('.test.ts'));
}
