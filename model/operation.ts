import type { AuditHead } from './audit/entry.js';
import type { RestoreForecast, RestoreOf, RestoreProgress, RestoreResult } from './backup-restore.js';
import type { Policy } from './policy.js';
import type { FallbackOutlook } from './fallback-class.js';
import type { ComparedKeys } from './follow-state.js';
import type { WorkflowType } from './names.js';
import type { PhaseRecord } from './phases.js';
import type { RestoreSaid } from './restore.js';
import type { Verdict } from './verdict.js';

/** Times are ISO 8601 in UTC; they come from the workflow's clock. */
export type Instant = string;

export type OperationPhase =
  | 'assessing'
  | 'awaiting approval'
  | 'backing up'
  | 'canary'
  | 'upgrading replica'
  | 'handing over'
  | 'upgrading old primary'
  | 'rolling shards'
  | 'validating'
  | 'soaking'
  | 'finalizing'
  | 'reverting'
  | 'falling back'
  | 'cutting over'
  | 'restoring'
  | 'copying'
  | 'benchmarking'
  | 'rehearsing'
  | 'paused'
  | 'completed'
  | 'stopped'
  | 'aborted'
  | 'fell back';

/** One thing that happened. `kind` says which chart or table of the report it belongs to. */
export interface TimelineEntry {
  at: Instant;
  /** Set when the thing took time and has ended. */
  until?: Instant;
  kind:
    'phase' | 'step' | 'gate' | 'check' | 'approval' | 'control' | 'handover' | 'swap' | 'hook' | 'note' | 'failure';
  /** Of what somebody did: who, as they named themselves. */
  by?: string;
  shard?: string;
  /** Address of the node concerned. */
  node?: string;
  text: string;
}

/** A gate that was held, as status, report and audit show it. */
export interface GateRecord {
  /** `topology`, `replication`, `memory`, … or the name of a PromQL query. */
  gate: string;
  /** Where: `before shard-2 replica 10.0.0.5:6379`. */
  before: string;
  shard?: string;
  verdict: Verdict;
  /** Since when it has been in this state. */
  since: Instant;
  overriddenBy?: { by: string; reason: string; at: Instant };
}

export interface ApprovalAnswer {
  by: string;
  role: string;
  decision: 'approve' | 'reject';
  at: Instant;
  comment?: string;
  /** Of one that was signed, and found to be by that key. */
  signed?: SignedAnswer;
}

/** Kept with the answer, so that whoever reads the record later can check it again. */
export interface SignedAnswer {
  /** `ed25519:` and the public key in hex. */
  key: string;
  /** Hex. */
  signature: string;
  /** Where it is not the person's own key: who recognised the person. */
  recognisedBy?: 'chat';
}

/** A question to people: asked, answered by a quorum, rejected, or expired and asked anew. */
export interface ApprovalRecord {
  /** `start`, `handover`, `handover:shard-2`, `finalize`, `restore`. */
  approval: string;
  question: string;
  roles: string[];
  quorum: number;
  askedAt: Instant;
  expiresAt: Instant;
  state: 'open' | 'approved' | 'rejected' | 'expired';
  answers: ApprovalAnswer[];
  /** Only answers that are signed count. */
  signed?: true;
}

/** What an operation waits for, and the command that goes on. */
export interface Waiting {
  kind: 'approval' | 'gate' | 'pause' | 'soak' | 'worker';
  /** The approval's or the gate's name; of a worker, what it lacks. */
  name: string;
  reason: string;
  since: Instant;
  clears: string;
  /** `rollout approve orders --approval handover --as you@example.com` */
  command: string;
  shard?: string;
}

export interface NodeStatus {
  address: string;
  role: 'primary' | 'replica';
  release: string;
  state: 'waiting' | 'in progress' | 'upgraded' | 'reverted' | 'failed';
  /** The step under way, `rejoin`. */
  step?: string;
}

export interface ShardStatus {
  shard: string;
  state: 'waiting' | 'in progress' | 'upgraded' | 'stopped';
  phase: OperationPhase | 'waiting';
  nodes: NodeStatus[];
}

export interface StandbyStatus {
  shard: string;
  address: string;
  release: string;
  /** `lost`: nothing follows for it any more, and nothing will. */
  state: 'syncing' | 'frozen' | 'serving' | 'lost';
  /** As its follower said, at the last look or, where `live`, a moment ago. */
  lagBytes?: number;
  lagMs?: number;
  live?: boolean;
  /** How far it is compared with its primary. */
  comparison?: ComparedKeys;
}

export interface FallbackStatus extends FallbackOutlook {
  policy: Policy['fallback'];
  /** Since when the class is this. */
  since: Instant;
  standbys: StandbyStatus[];
  /** What is to be restored, or was, and what that gives up: once for each shard. */
  restore?: RestoreSaid[];
  /** For how long the primaries' backlogs held what a standby has to be given, at the rate that was measured, ms. */
  backlogMs?: number;
}

/** The fallback within an operation: which release it goes to, and the command's options. */
export interface GoingBack {
  to: string;
  /** Who asked for it: a person, or `policy`. */
  by: string;
  /** The only one that is to go back. */
  shard?: string;
  restore: boolean;
  /** It was refused, and everything stands where the upgrade had come to. */
  refused?: true;
}

/** The answer of the `status` query of every operation. */
export interface OperationStatus {
  deployment: string;
  operation: WorkflowType;
  workflowId: string;
  /** Run id in Temporal, of the first run where it was continued: what a signed answer names. */
  run?: string;
  from: string;
  to: string;
  /** Releases to go through before `to`, one after the other; absent where one step does. */
  via?: string[];
  /** Of several hops, the release that this one goes to: `progress` and the nodes' states are about it. */
  hop?: string;
  phase: OperationPhase;
  /** Why it is in this phase, in one sentence. */
  reason: string;
  startedAt: Instant;
  startedBy: string;
  endedAt?: Instant;
  /** Every node of the deployment that is done, and all. */
  progress: { upgraded: number; nodes: number };
  waiting: Waiting[];
  /** A pause or an abort that somebody asked for: heeded once the step under way has ended. */
  asked?: { what: 'pause' | 'abort' | 'fallback'; by: string; reason: string; since: Instant };
  /** What it could be taken back with now, once that is known. */
  fallback?: FallbackStatus;
  shards: ShardStatus[];
  /** Ids of running children, whose own `status` says more. */
  children: string[];
  approvals: ApprovalRecord[];
  gates: GateRecord[];
  /** Of an upgrade that a fallback is taking back, or was until that stopped: it is that which goes on from there. */
  goingBack?: GoingBack;
  /** Of a fallback, the shards that were named: the others stay as they are. */
  named?: string[];
  /** How far the restore of a backup is. */
  restoring?: RestoreProgress;
  /** What a restore is about, what was foreseen of it, and what came of it: each once it is known. */
  restore?: { of: RestoreOf; forecast?: RestoreForecast; result?: RestoreResult };
  /** Folder with probe, ledger, verification and report, on the worker's machine. */
  artefacts: string;
  /** Each part of it with its verdict, in the order in which they came. */
  phases?: PhaseRecord[];
  /** How far the deployment's audit trail reached when this operation was put on it last. */
  audit?: AuditHead;
  result?: 'completed' | 'stopped' | 'aborted' | 'fell back';
  /** Of a stopped or aborted one: where everything stands and what to do. */
  statement?: string;
}

/** Who steers and why. The same object for signal and update. */
export interface ControlInput {
  by: string;
  reason?: string;
}
export interface ApproveInput {
  by: string;
  /** Which question; may be left out when just one is open. */
  approval?: string | undefined;
  /** When the question was asked that is meant: an answer to one that has expired is not for the next. */
  askedAt?: Instant | undefined;
  comment?: string | undefined;
  /** Hex; of what `statementToSign` makes of it. */
  signature?: string | undefined;
}
export interface OverrideInput {
  by: string;
  /** The gate's name. */
  gate: string;
  reason: string;
  shard?: string;
}
