import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RestoreRecord } from '../model/evidence.js';
import { RolloutError } from '../model/failures.js';
import type { ShardRestore } from '../model/work.js';
import { locked } from '../platforms/process/lock.js';

/** A restore that was approved and has not come to its end: whoever goes on finds here how far it is. */
export interface RestoreEntry extends ShardRestore {
  /** Under which the dataset that is given up is kept aside, beside the primary. Never used twice, never dropped. */
  label: string;
  /** Who followed it then: they go back after it. */
  replicas?: string[];
  /** INFO replication of the primary before it was told to end: what it saved can't be older. */
  saw?: Record<'master_replid' | 'master_replid2' | 'master_repl_offset' | 'second_repl_offset', string>;
  /** When it was told to, Unix ms. */
  endedAt?: number;
  /** That dataset, once it is aside. */
  kept?: { replid?: string; offset?: number; keys: number; bytes: number; until: string };
  /** What comparing it with the backup came to, before writes were let in. */
  verified?: RestoreRecord['verified'];
  /** From the end of writes until the backup served, ms. */
  awayMs?: number;
  /** What it came to. It stays for whoever asks again, until the shard is restored from another backup. */
  done?: RestoreRecord;
}

const FILE = 'restores.json';

/** @param folder of the deployment, `<state>/<deployment>` */
export async function readRestores(folder: string): Promise<RestoreEntry[]> {
  const path = join(folder, FILE);
  try {
    return JSON.parse(await readFile(path, 'utf8')) as RestoreEntry[];
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    // Taken for empty, a shard would be left without whoever serves it.
    throw new RolloutError('Unreadable', `${path} can't be read: put it right, it says which restores are under way`, {
      cause,
    });
  }
}

/** Those that can't be left as they are: a primary was told to end, and the backup does not serve yet. */
export const unfinishedOf = (entries: readonly RestoreEntry[]): RestoreEntry[] =>
  entries.filter(({ saw, done }) => saw !== undefined && done === undefined);

/** Notes how far a shard's restore is. */
export async function noteRestore(folder: string, entry: RestoreEntry): Promise<RestoreEntry> {
  await change(folder, (entries) => [...entries.filter(({ shard }) => shard !== entry.shard), entry]);
  return entry;
}

export const dropRestore = (folder: string, shard: string): Promise<void> =>
  change(folder, (entries) => entries.filter((it) => it.shard !== shard));

/** Changes the list while nobody else does; shards are worked on side by side. */
async function change(folder: string, changed: (entries: RestoreEntry[]) => RestoreEntry[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await locked(join(folder, '.restores'), async () => {
    const path = join(folder, FILE);
    const entries = changed(await readRestores(folder));
    await writeFile(`${path}.partial`, `${JSON.stringify(entries, null, 2)}\n`, { mode: 0o600 });
    await rename(`${path}.partial`, path);
  });
}
