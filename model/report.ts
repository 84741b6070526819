import type {
  BackupRecord,
  ConfigurationDifference,
  CutoverRecord,
  HandoverRecord,
  IncidentRecord,
  ProbeReport,
  RestoreRecord,
  ResyncRecord,
  VerifyResult,
} from './evidence.js';
import type { FollowState } from './follow-state.js';
import type { Instant, OperationStatus, TimelineEntry } from './operation.js';
import type { Plan } from './plan.js';
import type { ValidationRecord } from './validation/judge.js';

/** Everything the report shows, in one document: `report.json` beside `report.html`. */
export interface ReportData {
  generatedAt: string;
  status: OperationStatus;
  plan?: Plan;
  timeline: TimelineEntry[];
  probe?: ProbeReport;
  verify: VerifyResult[];
  configuration: ConfigurationDifference[];
  releases: { node: string; before: string; after: string }[];
  resyncs: ResyncRecord[];
  handovers: HandoverRecord[];
  backups: BackupRecord[];
  /** Absent where there were none. */
  cutovers?: CutoverRecord[];
  incidents?: IncidentRecord[];
  /** Shards that were restored from their backups. */
  restores?: RestoreRecord[];
  /** What each shard's follower came to. */
  followers?: FollowState[];
  /** What it was like before and after, and what the application's own checks found. */
  validation?: ValidationRecord;
  retries: Retries;
  /** The command that goes on, for an operation that ended early and waits for nothing. */
  next?: string;
}

/** An activity that came to its end and needed more than one attempt: nobody hears of it from the workflow itself. */
export interface RetriedActivity {
  /** Of the operation or the child that waited for it. */
  workflowId: string;
  activity: string;
  /** What it did and where, as in Temporal's UI: `isolate 10.0.0.5:6379`. */
  what: string;
  attempts: number;
  /** When it was asked for at first. */
  since: Instant;
  /** When its last attempt was over. */
  until: Instant;
  /** Why the attempt before the last failed: a type of the closed list where it is one of ours, and the first line. */
  failure: { type?: string; message: string };
}

/** Those with the most attempts, in the order in which they were asked for, and how many there were beside them. */
export interface Retries {
  activities: RetriedActivity[];
  more: number;
}

/** The answer of the `record` query: what one workflow's steps found. */
export type OperationRecord = Pick<
  ReportData,
  | 'verify'
  | 'configuration'
  | 'releases'
  | 'resyncs'
  | 'handovers'
  | 'backups'
  | 'cutovers'
  | 'incidents'
  | 'restores'
  | 'validation'
>;

/** All that one workflow knows of itself. */
export interface Findings {
  status: OperationStatus;
  timeline: TimelineEntry[];
  record: OperationRecord;
}
