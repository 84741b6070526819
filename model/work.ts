import type {
  BackupRecord,
  ConfigurationDifference,
  CutoverRecord,
  HandoverRecord,
  LedgerResult,
  RestorePoint,
  RestoreRecord,
  ResyncRecord,
  VerifyResult,
} from './evidence.js';
import type { AuditHead } from './audit/entry.js';
import type { AssessmentDocument } from './assessment/document.js';
import type { Price } from './assessment/phases.js';
import type { BackupManifest, BackupVerdict, ProvenShard, SealedShard } from './backup-manifest.js';
import type { CheckResult } from './checks.js';
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
import type { Policy } from './deployment.js';
import type { PointAsked, RecoveryPoint } from './recovery-point.js';
import type { GateResult } from './gates/evaluate.js';
import type { StandbySeen } from './gates/observation.js';
import type { HookCall, HookEnd, PlannedHook } from './hooks.js';
import type { RestoreInput } from './inputs.js';
import type { PlanFacts } from './planning/facts.js';
import type { PruneActivities } from './pruning.js';
import type { ShardView, SlotRange, TopologyView } from './topology.js';
import type { Measurement } from './validation/measurement.js';

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
  /** Puts back what prepareShard changed; a node that is away, or was never released, is left to the next operation. */
  putBackShard(input: Order & { places: NodePlace[] }): Promise<void>;
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

/** A node of the previous release a shard, outside of the topology: what a fallback without loss goes back to. */
export interface StandbyActivities {
  /** Makes it where there is none, beside `primary`, and has it follow until it has everything. `bytes`: memory in use. */
  addStandby(
    input: Order & { shard: string; primary: string },
  ): Promise<{ address: string; release: string; bytes: number }>;
  /**
   * Ends its following, before the shard is handed over, and makes it a member without slots. What the primary's stream
   * `replid` has after `offset` is still to be given to it.
   */
  freezeStandby(
    input: Order & { shard: string; primary: string },
  ): Promise<{ address: string; replid: string; offset: number }>;
  /** Forgotten by every node, ended, and its folder gone; nothing to do where there is none. */
  removeStandby(input: Order & { shard: string }): Promise<void>;
  readStandbys(input: Order): Promise<StandbyNow[]>;
}

/** A shard's standby, by the registry. */
export interface StandbyNow {
  shard: string;
  address: string;
  state: string;
  release: string;
  /** Why it can't be brought up to its shard's primary any more. */
  lost?: string;
}

/** A deployment that is to go back, `to` the release that it ran before. */
export interface FallbackAssessment extends Assessment {
  standbys: StandbyNow[];
  /** Of the shards, who can't be read. */
  awayIn?: { shard: string; address: string }[];
  /** Of the newest backup that is complete and that the release can load; how far each stream has gone on since, bytes. */
  backups: (RestorePoint & { streamBytes?: number })[];
  /** Why it is not known which there are. */
  backupsUnread?: string;
  /** Restores that somebody approved and that were interrupted: whoever serves the shard may be down. */
  unfinished?: ShardRestore[];
}

/** A shard to be restored from its backup, as it was approved. */
export interface ShardRestore {
  shard: string;
  /** Who serves it: the node that the backup goes to. */
  primary: string;
  to: string;
  backup: RestorePoint;
}

export interface FallbackActivities {
  /** Reads the deployment, and changes nothing: which release it would go back to, and what each shard has for it. */
  assessFallback(input: Order & { shards: string[] }): Promise<FallbackAssessment>;
  /** A shard as it is now, whoever of it can't be read; its standby is seen as a node where it has slots. */
  lookBack(input: Order & { shard: string }): Promise<ShardNow & { standby?: StandbyNow; away?: string[] }>;
  /** The standbys as they are now, each with what its follower wrote down last. */
  seeStandbys(input: Order): Promise<StandbySeen[]>;
  /** Gives the shard's slots to its standby, once that has every write that was acknowledged; safe to run again. */
  cutOver(input: Order & { shard: string; primary: string; standby: string }): Promise<CutoverRecord>;
  /**
   * Gives up what a shard was written after its backup: its primary's dataset is saved and kept aside, and the backup served
   * in its place, by the release `to`; then its replicas come back to that, as by `returnNode`. Goes on from wherever an
   * earlier attempt got to.
   */
  restoreShard(input: Order & ShardRestore): Promise<RestoreRecord>;
  /**
   * Brings a node of the shard back to the release that it ran before the upgrade, as a replica of whoever serves the shard
   * (`primary`, or who took over from it): emptied, synced in full, compared, and given back. `to`: that release.
   */
  returnNode(
    input: Order & { shard: string; node: string; primary: string; to: string },
  ): Promise<ResyncRecord & { verified: VerifyResult }>;
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

export interface FollowActivities {
  /** Gives a shard's standby what its primary is given, until it is told to end or the standby serves. */
  follow(input: Order & { shard: string }): Promise<void>;
}

/** A shard, and where its snapshot can be had. */
export interface ShardToSeal {
  shard: string;
  slots: SlotRange[];
  primary: string;
  replicas: string[];
}

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

/** Whose assessment it is, and of which way. */
export type AssessmentOrder = Order & { to: string; via?: string[] };

/** The assessment of an upgrade, as a document: read-only. */
export interface AssessmentActivities {
  /** The oldest release that runs, and the exact releases of the way. */
  beginAssessment(input: AssessmentOrder): Promise<{ from: string; way: string[] }>;
  /** Keeps what every node was asked for so far, and by whom. Taken again, it takes the place of the one before. */
  lookAtUse(input: AssessmentOrder & { look: number }): Promise<void>;
  /** Listens to MONITOR of every primary for so long, ms. */
  watchUse(input: AssessmentOrder & { way: string[]; forMs: number }): Promise<void>;
  /** Reads the rest, asks a server of the target, and writes the document. */
  concludeAssessment(
    input: AssessmentOrder &
      Pick<AssessmentDocument, 'assessment' | 'startedBy' | 'startedAt' | 'from' | 'way'> & {
        monitorMs: number;
        sample: number;
        scripts: Record<string, string>;
        libraries: Record<string, string>;
        price?: Price | undefined;
      },
  ): Promise<AssessmentDocument>;
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

export type Activities = AssessActivities &
  NodeActivities &
  HandoverActivities &
  EvidenceActivities &
  StandbyActivities &
  FallbackActivities &
  FollowActivities &
  HookActivities &
  ValidationActivities;
