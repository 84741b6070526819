import type { BenchmarkPolicy, BenchmarkRound } from './benchmark.js';
import type { ComparedShard, RestoredShard } from './backup-restore.js';
import type { Policy } from './policy.js';
import type { LoadShape } from './load-shape.js';
import type { SignOff, StagingRecord, StagingStep } from './staging.js';
import type { StagingPolicy } from './staging-policy.js';
import type { SlotRange } from './topology.js';
import type { Order } from './work.js';

export interface StagingBeginning {
  backup: string;
  takenAt: string;
  /** Of the backup, those that the copy is made of. */
  shards: { shard: string; keys: number }[];
  /** The exact release that runs, and that the copy begins with. */
  release: string;
  /** The exact release that is meant, and those on the way to it. */
  to: string;
  via: string[];
  staging: StagingPolicy;
  /** What is played on the copy; absent in rehearsals of before, which took the file's or assumed it. */
  load?: LoadToPlay;
  /** Names of what is run against the copy. */
  checks: string[];
  policy: Pick<Policy, 'roles' | 'approvals' | 'people' | 'ttlTolerance'>;
  searchable: boolean;
}

export interface LoadToPlay {
  shape: LoadShape;
  /** Where it is from, in words; absent where the deployment file says it. */
  source?: string;
}

/** The copy, as the orders to activities name it. */
export interface CopyOf {
  /** The rehearsal's id: a copy of another is taken away first. */
  staging: string;
  backup: string;
  slots?: SlotRange[];
}

export interface FilledShard extends RestoredShard {
  /** What of it, in words; absent where it is as in the backup. */
  masked?: string;
}

/** What is played on the copy while it is upgraded. */
export interface LoadSeen {
  operations: number;
  failed: number;
  failures: Record<string, number>;
  /** The worst of its parts, ms. */
  p99Ms: number;
  maxMs: number;
  notes: string[];
}

/** Before anything was played. */
export const sawNothing: LoadSeen = { operations: 0, failed: 0, failures: {}, p99Ms: 0, maxMs: 0, notes: [] };

/** A copy of a deployment, on which its upgrade is rehearsed. All orders are of the deployment that it is a copy of. */
export interface StagingActivities {
  /** Finds the backup and the releases, and looks whether there is room for a copy. */
  beginStaging(
    input: Order & { to: string; via: string[]; backup?: string; slots?: SlotRange[] },
  ): Promise<StagingBeginning>;
  /** Makes the nodes, and the deployment file of the copy. Goes on from where an earlier attempt was. */
  makeCopy(input: Order & CopyOf & { release: string }): Promise<{ nodes: number; seeds: string[] }>;
  /** What the copy's deployment file says of soaks: the first upgrade of a rehearsal has none. */
  configureCopy(input: Order & { soak: boolean }): Promise<void>;
  fillCopy(input: Order & CopyOf & { shard: string }): Promise<FilledShard>;
  /** Every key of the backup against what the copy has. @param input.expiryToleranceMs by how much an expiry may be off */
  compareCopy(input: Order & CopyOf & { shard: string; expiryToleranceMs: number }): Promise<ComparedShard>;
  /** Each replica compared with its primary; each shard saved, and loaded by a server that is thrown away; keys that expire. */
  tryCopy(input: Order): Promise<StagingStep[]>;
  checkCopy(input: Order & { check: string }): Promise<StagingStep>;
  /** Our load and redis-benchmark in turns, as often as the deployment file says. */
  benchmarkCopy(input: Order & { shape: LoadShape; policy: BenchmarkPolicy }): Promise<BenchmarkRound[]>;
  /** Plays until it is cancelled, and then tells what was seen. */
  loadCopy(input: Order & { shape: LoadShape }): Promise<LoadSeen>;
  /** Ends its nodes, and takes their folders and its deployment file away. Done where there is none. */
  removeCopy(input: Order): Promise<void>;
  recordStaging(input: Order & { record: StagingRecord }): Promise<void>;
  /** What an upgrade that asks for a rehearsal goes ahead on, or why it may not. */
  readSignOff(input: Order & { from: string; to: string }): Promise<SignOff>;
}
