import type { RestoreRecord } from '../model/evidence.js';
import type { ShardRestore } from '../model/fallback-work.js';
import { sharedList } from './shared-list.js';

/** A restore that was approved and has not come to its end: whoever goes on finds here how far it is. */
export interface RestoreEntry extends ShardRestore {
  /** Under which the dataset that is given up is kept aside, beside the primary. Never used twice, never dropped. */
  label: string;
  /** Who followed it then: they go back after it. */
  replicas?: string[];
  /** Ids by which the primary went before: all are to forget them. */
  former?: string[];
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

// Taken for empty, a shard would be left without whoever serves it.
const { read, change } = sharedList<RestoreEntry>('restores', 'which restores are under way');

export const readRestores = read;

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
