import type {
  BackupRecord,
  ConfigurationDifference,
  HandoverRecord,
  LedgerResult,
  ResyncRecord,
  VerifyResult,
} from './evidence.js';
import type { AuditHead } from './audit/entry.js';
import type { BackupManifest } from './backup-manifest.js';
import type { CheckResult } from './checks.js';
import type { Policy } from './policy.js';
import type { GateResult } from './gates/evaluate.js';
import type { HookCall, HookEnd, PlannedHook } from './hooks.js';
import type { PlanFacts } from './planning/facts.js';
import type { ShardView, SlotRange, TopologyView } from './topology.js';
import type { Measurement } from './validation/measurement.js';
import type { FallbackActivities, FollowActivities, StandbyActivities } from './fallback-work.js';

/** What every activity is told: whose node, in which operation. Secrets are never part of it. */
export interface Order {
  deployment: string;
  /** The operation's folder below the worker's state folder: `<deployment>/<run id>`. */
  operation: string;
}

/** Where a node lives; kept by the workflow, since a stopped node can't be asked. */
export interface NodePlace {
  address: string;
  home: string;
  configurationFile: string;
  logFile?: string;
  datasetFile: string;
  clusterFile: string;
  /** What ran here before the operation touched it. */
  release: string;
  pid?: number;
  /** An earlier operation isolated it and never released it. */
  pending: boolean;
}

/** A primary's counters before a replica goes away: how it came back is their difference. */
export interface SyncBaseline {
  runId: string;
  full: number;
  partial: number;
}

export interface Assessment extends ClusterNow {
  name: string;
  policy: Policy;
  /** Exact releases; `from` is the oldest that runs, `to` the one that is next on the way. */
  from: string;
  to: string;
  /** Exact releases of the whole way, the target last; one where one step does. */
  way: string[];
  facts: PlanFacts;
  /** Addresses of nodes that an operation has isolated and never released. */
  pending: string[];
  /** Absent where there are none. */
  hooks?: PlannedHook[];
  /** Names of the checks that the upgraded deployment is put to; absent where there are none. */
  checks?: string[];
  /** Are the search attributes registered? Upserting an unknown one would block the workflow for ever. */
  searchable: boolean;
  artefacts: string;
}

/** A node that was away, and what became of it: the release that was started there, or why none was. */
export type BroughtBack = { address: string } & (
  { release: string; problem?: never } | { problem: string; release?: never }
);

/** A shard as it is now, every member of it read. */
export interface ShardNow {
  shard: ShardView;
  /** Addresses of its nodes that an operation has isolated and not released yet. */
  pending: string[];
}

export type { GateResult };

/** Who is in the cluster now, and what each runs. */
export interface ClusterNow {
  topology: TopologyView;
  /** Members of the cluster that can't be read; absent where there are none. */
  away?: string[];
}

/** The activities as workflows see them: one interface a capability, implemented in activities/. */
export interface AssessActivities {
  /** With `shard`, the topology and facts of that shard only; with `via`, of what is left of the way its next stop. */
  assess(input: Order & { to: string; via?: string[]; shard?: string }): Promise<Assessment>;
  /** As an assessment finds it, without judging or measuring anything. */
  readCluster(input: Order): Promise<ClusterNow>;
  /** Fails for another try while a member of the shard can't be read: what is planned without it would leave it behind. */
  readShard(input: Order & { shard: string }): Promise<ShardNow>;
  /**
   * Looks again by itself until all pass that nobody has overridden, until others block than those of `blocked`, or until
   * the patience (ms) is over. `handover`: may this candidate take over? `watchMs`: how long each node's latency is looked at.
   */
  checkGates(
    input: Order & {
      gates: string[];
      shard?: string;
      patienceMs: number;
      /** Gates that needn't pass. */
      overridden: string[];
      /** Gates that are known to block: where it is given, any change of them is told at once. */
      blocked?: string[];
      watchMs?: number;
      /** Members that are down for everyone and have no slots needn't be there: they are brought back last. */
      excuseDown?: boolean;
      handover?: { candidate: string; sinceRoleChangeMs?: number };
    },
  ): Promise<GateResult[]>;
}

export interface NodeActivities {
  /**
   * Finds each node's place, and enlarges the backlogs. `pending`: an earlier operation left it in the middle. `fallback`:
   * how each node is now outlives the shard's upgrade, until its standby is removed.
   */
  prepareShard(input: Order & { nodes: string[]; backlogBytes?: number; fallback?: boolean }): Promise<NodePlace[]>;
  /**
   * Puts back what prepareShard changed; a node that is away, or was never released, is left to the next operation.
   * `members`: all nodes of the shard. An earlier operation may have left something on those that this one had nothing to do with.
   */
  putBackShard(input: Order & { places: NodePlace[]; members?: string[] }): Promise<void>;
  /** Remembers the node as it is, and keeps it from being promoted. */
  isolate(input: Order & { place: NodePlace; primary: string }): Promise<{ baseline: SyncBaseline; readers: number }>;
  /** Has the node save its dataset and keeps it aside; a node whose data can't be trusted any more is left as it is. */
  snapshot(input: Order & { place: NodePlace }): Promise<{ bytes: number; taken: boolean }>;
  /** `notes`: what of the configuration had to be written otherwise to mean the same. */
  swapVersion(input: Order & { place: NodePlace; to: string }): Promise<{ release: string; notes: string[] }>;
  rejoin(
    input: Order & { place: NodePlace; primary: string; baseline: SyncBaseline; shard: string },
  ): Promise<ResyncRecord>;
  verifyNode(input: Order & { place: NodePlace; primary: string; shard: string }): Promise<VerifyResult>;
  /** Puts the node's settings back, and compares its configuration with what it was. */
  release(input: Order & { place: NodePlace }): Promise<ConfigurationDifference[]>;
  /** Back to the release, dataset and configuration of before, while the primary still runs that release. */
  revert(input: Order & { place: NodePlace; primary: string }): Promise<{ release: string }>;
  /** Starts the servers of nodes that an earlier operation left down, where it noted how. */
  bringBack(input: Order & { nodes: string[] }): Promise<BroughtBack[]>;
}

export interface HandoverActivities {
  /** `places`: the shard's nodes, taken for this attempt before anything is done. */
  handOver(
    input: Order & {
      shard: string;
      from: string;
      to: string;
      siblings: string[];
      mode: 'safe' | 'fast';
      places: NodePlace[];
    },
  ): Promise<HandoverRecord>;
}

export interface EvidenceActivities {
  /**
   * From whichever of the shard's nodes is the best source now: sealed into the target where `backup.encryption` is set, else
   * into `backup.directory`. `hop`: the release that it is taken before, of several.
   */
  backUpShard(input: Order & ShardToSeal & { backup: string; hop?: string }): Promise<BackupRecord>;
  /** Every shard's is in: from now on it is one of `backup.keep`. `before`: the release that is started next. */
  completeBackup(
    input: Order &
      Pick<BackupManifest, 'backup' | 'startedBy' | 'startedAt'> & { shards: string[]; before: string; hop?: string },
  ): Promise<void>;
  /** Compares a replica with its present primary, once no node has anything done to it any more. */
  compareReplica(input: Order & { shard: string; primary: string; replica: string }): Promise<VerifyResult>;
  runProbe(input: Order): Promise<void>;
  readLedger(input: Order): Promise<LedgerResult | undefined>;
  writeReport(input: Order & { workflowId: string; runId: string }): Promise<{ file: string }>;
  /**
   * Puts on the deployment's audit trail what is not there yet of what the operation knows; `whole`: of what its children know,
   * too. Returns how far the trail reaches then.
   */
  sealAudit(input: Order & { workflowId: string; runId: string; whole: boolean }): Promise<AuditHead>;
}

export interface HookActivities {
  /** Runs a command or makes a call of the deployment file; at least once. */
  runHook(input: Order & { call: HookCall }): Promise<HookEnd>;
}

export interface ValidationActivities {
  /** Has primaries and probe measure for so long, ms. */
  measure(input: Order & { ms: number }): Promise<Measurement>;
  /** Runs one of the deployment file's checks against the deployment. */
  checkApplication(input: Order & { check: string }): Promise<CheckResult>;
}

/** A shard, and where its snapshot can be had. */
export interface ShardToSeal {
  shard: string;
  slots: SlotRange[];
  primary: string;
  replicas: string[];
}

export type Activities = AssessActivities &
  NodeActivities &
  HandoverActivities &
  EvidenceActivities &
  StandbyActivities &
  FallbackActivities &
  FollowActivities &
  HookActivities &
  ValidationActivities;
