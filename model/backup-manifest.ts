import { z } from 'zod';
import { backupTiers } from './backup-tiers.js';
import { SLOTS, slotCount, type SlotRange } from './topology.js';

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().min(0);
const instant = z.iso.datetime();

const sealedShard = z.strictObject({
  shard: z.string(),
  /** Inclusive ranges. */
  slots: z.array(z.tuple([count, count])),
  /** Name of the object in the target. */
  object: z.string(),
  /** `host:port` of the node that it was taken from, and what that was then. */
  node: z.string(),
  role: z.enum(['primary', 'replica']),
  /** That wrote the snapshot. */
  release: z.string().optional(),
  rdbVersion: z.number().int(),
  keys: count,
  /** Of those, keys with an expiry time. */
  expires: count,
  /** By database; one without keys is not there. */
  databases: z.array(z.strictObject({ index: count, keys: count, expires: count })),
  /** Function libraries. */
  functions: count,
  /** Where its replication stands: the stream goes on behind this offset. */
  replid: z.string(),
  offset: z.number().int(),
  /** The snapshot as the server sent it, bytes. */
  rdb: z.strictObject({ bytes: count, sha256: hash }),
  /** The object: compressed and encrypted. */
  sealed: z.strictObject({ bytes: count, sha256: hash }),
  compression: z.enum(['gzip']),
  /** Id of the key that its data key is wrapped with. */
  key: z.string(),
  /** When the node said where the snapshot stands, by the worker's clock; and when the object was whole. */
  cutAt: instant,
  endedAt: instant,
});

/** What a backup holds, written last: without it there is none. */
export const backupManifest = z.strictObject({
  format: z.literal(1),
  deployment: z.string(),
  backup: z.string(),
  startedBy: z.string(),
  /** Of the schedule that it was taken by. */
  tier: z.enum(backupTiers).optional(),
  /** Taken by an upgrade: the release that it was about to start. One of an upgrade of a single shard has no other shard. */
  before: z.string().optional(),
  startedAt: instant,
  endedAt: instant,
  /** How far apart the first and the last shard were cut, ms. */
  cutWithinMs: count,
  shards: z.array(sealedShard).min(1),
});

export type SealedShard = z.output<typeof sealedShard>;
export type BackupManifest = z.output<typeof backupManifest>;

/** Has it every slot? */
export const isWhole = ({ shards }: Pick<BackupManifest, 'shards'>): boolean => notWhole(shards) === undefined;

/** What is known of a backup by having read it. */
export const backupVerdict = z.strictObject({
  backup: z.string(),
  at: instant,
  /**
   * `restored`: servers of the same release have loaded every shard. `read`: every shard was opened and read whole, but
   * not all by a server. `damaged`: it can't be relied on.
   */
  result: z.enum(['restored', 'read', 'damaged']),
  /** What is wrong, by the object's name. */
  problem: z.string().optional(),
  shards: z.array(
    z.strictObject({
      shard: z.string(),
      keys: count,
      /** The release of the server that has loaded it; absent where none of it was at hand. */
      restoredBy: z.string().optional(),
      /**
       * What that server then had, against the backup read once more: keys that are there, of those the ones whose value and
       * expiry were compared, and keys that had expired by then. Absent in verdicts before there was such a comparison.
       */
      compared: z.strictObject({ keys: count, values: count, expired: count }).optional(),
      tookMs: count,
    }),
  ),
});
export type BackupVerdict = z.output<typeof backupVerdict>;
export type ProvenShard = BackupVerdict['shards'][number];

/** Of a backup. */
export const BACKUP_ID = /^\d{8}T\d{6}Z-[0-9a-f]{8}$/;

/** What the names of a deployment's backups begin with: their year. What else lies beside them, such as the archive, is not listed. */
export const backupsPrefix = (deployment: string): string => `${deployment}/2`;

/** When it was begun, by its id; Unix ms. */
export const begunAt = (backup: string): number =>
  Date.parse(backup.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z.*$/, '$1-$2-$3T$4:$5:$6Z'));

/** `20261129T231400Z-1a2b3c4d`: they sort as they were begun. */
export const backupId = (startedAt: string, runId: string): string =>
  `${startedAt.replace(/[-:]|\.\d+/g, '')}-${runId.replace(/-/g, '').slice(0, 8)}`;

const below = (deployment: string, backup: string, name: string): string => `${deployment}/${backup}/${name}`;
export const shardObject = (deployment: string, backup: string, shard: string): string =>
  below(deployment, backup, `${shard}.rdb.gz.sealed`);
export const manifestObject = (deployment: string, backup: string): string =>
  below(deployment, backup, 'manifest.json');
export const verdictObject = (deployment: string, backup: string): string => below(deployment, backup, 'verdict.json');

export function manifestOf(
  about: Pick<BackupManifest, 'deployment' | 'backup' | 'startedBy' | 'tier' | 'before' | 'startedAt' | 'endedAt'>,
  shards: readonly SealedShard[],
): BackupManifest {
  const cuts = shards.map(({ cutAt }) => Date.parse(cutAt));
  return {
    format: 1,
    ...about,
    cutWithinMs: Math.max(...cuts) - Math.min(...cuts),
    shards: [...shards].sort((a, b) => a.shard.localeCompare(b.shard, 'en', { numeric: true })),
  };
}

/** What keeps these slots from being the whole keyspace, each once; undefined where they are. */
export function notWhole(shards: readonly { slots: readonly SlotRange[] }[]): string | undefined {
  const ranges = shards.flatMap(({ slots }) => slots);
  const covered = new Set(ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i)));
  const count = slotCount(ranges);
  if (covered.size < count) return `${count - covered.size} slots are there twice`;
  return covered.size === SLOTS ? undefined : `${SLOTS - covered.size} of ${SLOTS} slots are missing`;
}

/** Of a whole backup. */
export function totalsOf({ shards }: BackupManifest): { keys: number; bytes: number; sealedBytes: number } {
  const sum = (of: (shard: SealedShard) => number): number => shards.reduce((total, shard) => total + of(shard), 0);
  return { keys: sum((it) => it.keys), bytes: sum((it) => it.rdb.bytes), sealedBytes: sum((it) => it.sealed.bytes) };
}
