import type {
  BackupRecord,
  ConfigurationDifference,
  HandoverRecord,
  ProbeReport,
  ResyncRecord,
  VerifyResult,
} from './evidence.js';
import type { OperationStatus, TimelineEntry } from './operation.js';
import type { Plan } from './plan.js';

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
  /** The command that goes on, for an operation that ended early and waits for nothing. */
  next?: string;
}

/** The answer of the `record` query: what one workflow's steps found. */
export type OperationRecord = Pick<
  ReportData,
  'verify' | 'configuration' | 'releases' | 'resyncs' | 'handovers' | 'backups'
>;

/** All that one workflow knows of itself. */
export interface Findings {
  status: OperationStatus;
  timeline: TimelineEntry[];
  record: OperationRecord;
}
