import type { RunFate } from '../model/backup-use.js';
import type { AuditSource } from '../model/audit/events.js';
import type { ReportData } from '../model/report.js';

/** What the activities are built with; tests hand in other folders, and nothing else is faked. */
export interface Dependencies {
  /** Deployment files. */
  deployments: string;
  /** Where operations keep probe, ledger, and reports: `<state>/<deployment>/<run id>`. */
  state: string;
  /** Are the search attributes registered on this Temporal server? Found out when the worker starts. */
  searchable: boolean;
  /** Asks a running operation and its children for all they know. */
  collectReport: (workflowId: string, runId: string) => Promise<ReportData>;
  /** Does a run of this namespace last? */
  fateOf: (workflowId: string, runId: string) => Promise<RunFate>;
  /** Asks the operation alone. */
  collectRoot: (workflowId: string, runId: string) => Promise<AuditSource>;
}
