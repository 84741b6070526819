import type { BackupTier } from './backup-tiers.js';
import type { Retained } from './retention.js';
import type { Order } from './work.js';

/** What pruning would do. */
export interface PrunePlan {
  /** Name of the target, for people. */
  target: string;
  backups: Retained[];
  leftovers: LeftoverSummary[];
  /** Absent where nothing was ever archived. `keptFrom`: the instant from which on every moment stays that can be had. */
  archive?: { keptFrom: string; stays: number; goes: SegmentsSummary };
}

/** Segments of the archive, and the instants between which they were written; those are absent where there is none. */
export interface SegmentsSummary {
  segments: number;
  bytes: number;
  from?: string;
  to?: string;
}

/** What became of the segments that were to go. `locked`: until when the store keeps the oldest that is left. */
export type PrunedSegments = SegmentsSummary & { locked?: string };

/** What there is of a backup that is none. */
export interface LeftoverSummary {
  backup: string;
  objects: number;
  /** Uploads that were begun and not finished. */
  unfinished: number;
  bytes: number;
}

/** What became of a backup that was to go, or of what a failed one left. */
export interface Pruned {
  backup: string;
  /** `locked`: the store keeps it until what `reason` says. `needed`: meanwhile there is a reason for it to stay. */
  state: 'removed' | 'locked' | 'needed';
  reason: string;
}

/** What came of pruning. */
export interface PruneResult {
  target: string;
  /** How many stay. */
  stay: number;
  backups: Pruned[];
  leftovers: (Pruned & Omit<LeftoverSummary, 'backup'>)[];
  /** Where there was something of the archive to go. */
  archive?: PrunedSegments;
}

export interface PruneActivities {
  /** Is a backup of this tier to be proven, by the rate of the deployment file? */
  chooseProof(input: Order & { backup: string; tier: BackupTier }): Promise<boolean>;
  /** Which backups are to go, and what failed ones left. Changes nothing. `now`: by Temporal's clock, Unix ms; a worker's may be wrong. */
  planPrune(input: Order & { now: number }): Promise<PrunePlan>;
  /** Removes a backup, its manifest first, if it is still to go; one that is gone is removed. */
  removeBackup(input: Order & { backup: string; now: number }): Promise<Pruned>;
  /** Removes what a failed backup left, if nobody works at it; what is gone is removed. */
  removeLeftover(input: Order & { backup: string; now: number }): Promise<Pruned>;
  /** Removes segments of the archive that no backup needs which is kept, the oldest first. */
  pruneArchive(input: Order & { now: number }): Promise<PrunedSegments>;
}
