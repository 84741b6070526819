import type { BackupManifest, BackupVerdict, ProvenShard, SealedShard } from './backup-manifest.js';
import type { DrillRecord, RecoveryPointFound } from './drill.js';
import type { DrillPart, PartAsked } from './drill-part.js';
import type {
  ComparedShard,
  RemovedOthers,
  RestoredShard,
  RestoreOf,
  RestoreTarget,
  ShardForecast,
} from './backup-restore.js';
import type { Policy } from './policy.js';
import type { PointAsked, RecoveryPoint } from './recovery-point.js';
import type { RestoreInput } from './inputs.js';
import type { PruneActivities } from './pruning.js';
import type { Order, ShardToSeal } from './work.js';

/** Backups that people ask for: beside operations, and never part of one. */
export interface BackupActivities extends PruneActivities {
  /** Looks whether one can be taken at all: cluster, key and target. */
  beginBackup(input: Order): Promise<{ shards: ShardToSeal[]; target: string; key: string }>;
  /** Streams a shard's snapshot into the target, from whichever of its nodes is the best source now. */
  sealShard(input: Order & ShardToSeal & { backup: string }): Promise<SealedShard>;
  /** Writes the manifest: from now on it is a backup. */
  endBackup(
    input: Order & Pick<BackupManifest, 'backup' | 'startedBy' | 'tier' | 'startedAt' | 'shards'>,
  ): Promise<BackupManifest>;
  /** Finds a backup, the newest where none is named. */
  readBackup(input: Order & { backup?: string }): Promise<{ backup: string; shards: string[] }>;
  /**
   * Opens a shard, reads it whole, has a server of its release load it, and compares what that serves with the shard, at most
   * `rate` keys a second.
   */
  proveShard(input: Order & { backup: string; shard: string; rate?: number }): Promise<ProvenShard>;
  recordVerdict(input: Order & { verdict: BackupVerdict }): Promise<void>;
  /** Finds the backup to begin from, and of each shard the exact offset. */
  resolvePoint(input: Order & { point: PointAsked }): Promise<RecoveryPoint>;
  /** Brings a shard back to an offset in a server that is thrown away, and counts its keys. */
  provePoint(input: Order & { backup: string; shard: string; offset: number }): Promise<ProvenShard>;
}

/** A shard by its slots, as `slotsKey` writes them. */
export interface ShardToArchive {
  shard: string;
  slots: string;
}

/** What the archive of a shard can't get over by itself; see activities/archive-shard.ts. */
export type ArchiveEnded = { kind: 'needsSnapshot' | 'gap' | 'moved'; why: string };

/** What became of small segments. */
export interface MergedSegments {
  segments: number;
  into: number;
  /** Of the stream, before compression. */
  bytes: number;
}

/** The streams of commands behind the backups, for as long as somebody wants them archived. */
export interface ArchiveActivities {
  /** Looks whether it can be done at all: cluster, key and target. */
  beginArchive(input: Order): Promise<{ shards: ShardToArchive[]; target: string }>;
  /** Archives a shard's stream, from where the target has it. `snapshotComing`: a backup is about to be taken. */
  archiveShard(input: Order & ShardToArchive & { snapshotComing: boolean }): Promise<ArchiveEnded>;
  /** Makes larger segments of small ones that are some hours old. `now`: by Temporal's clock, Unix ms. */
  mergeArchive(input: Order & { now: number }): Promise<MergedSegments>;
}

/** Backups that are loaded into a deployment that serves. */
export interface RestoreActivities {
  /** Finds the backup, and looks at the deployment that it is to go to. */
  beginRestore(
    input: Order & Pick<RestoreInput, 'backup' | 'from'> & { point?: PointAsked },
  ): Promise<RestoreBeginning>;
  /** Reads a shard of the backup whole, and says what would come of it. Changes nothing. */
  forecastShard(
    input: Order & RestoreOf & ShardToRestore & { ask: boolean; exactly?: boolean },
  ): Promise<ShardForecast>;
  /** Loads a shard of the backup. Goes on from where an earlier attempt was. */
  loadShard(
    input: Order & RestoreOf & ShardToRestore & { existing: 'keep' | 'replace'; functions: boolean; rate?: number },
  ): Promise<RestoredShard>;
  /** Removes what the target has in a shard's slots and the backup has not; goes on with what an earlier attempt left. */
  removeOthers(input: Order & RestoreOf & ShardToRestore): Promise<RemovedOthers>;
  /** How often each primary was written to so far, as it counts. */
  countWrites(input: Order): Promise<Record<string, string>>;
  /** Compares a shard of the backup, key by key, with what is there. */
  compareShard(input: Order & RestoreOf & ShardToRestore): Promise<ComparedShard>;
}

export interface ShardToRestore {
  /** Of the backup. */
  shard: string;
  /** Keys to go through, for whoever watches. */
  expected: number;
}

export interface RestoreBeginning {
  backup: string;
  point?: RecoveryPoint;
  from: string;
  takenAt: string;
  /** Of the backup; keys as its manifest counts them. */
  shards: { shard: string; keys: number; bytes: number; release?: string }[];
  targets: RestoreTarget[];
  policy: Pick<Policy, 'approvals' | 'roles' | 'people'>;
  searchable: boolean;
}

/** What a drill is asked to restore; all of the newest that can be had where nothing is named. */
export interface DrillAsked extends PartAsked {
  backup?: string | undefined;
  /** `now`: as far as the archive reaches. */
  point?: PointAsked | 'now' | undefined;
}

/** What a drill restores, and how far the deployment could be brought back when it was asked. */
export interface DrillPlan {
  backup: string;
  point?: RecoveryPoint;
  part?: DrillPart;
  /** How many are restored. */
  shards: number;
  recoveryPoint: RecoveryPointFound;
  searchable: boolean;
}

export interface DrillActivities {
  /** Finds what is to be restored. */
  planDrill(input: Order & DrillAsked): Promise<DrillPlan>;
  /** Restores a backup into a cluster that ends with this, and puts it to what the deployment file asks for. */
  rehearseRecovery(
    input: Order & { drill: string; backup: string; startedBy: string; startedAt: string } & Partial<
        Pick<DrillPlan, 'point' | 'part' | 'recoveryPoint'>
      >,
  ): Promise<DrillRecord>;
  recordDrill(input: Order & { record: DrillRecord }): Promise<void>;
}
