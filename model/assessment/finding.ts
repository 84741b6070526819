import { severities, type Severity } from '../knowledge/entry.js';

/** What of a deployment a finding is about. */
export type FindingArea =
  'release' | 'commands' | 'scripts' | 'configuration' | 'users' | 'modules' | 'clients' | 'data' | 'rights';

/** Something that an upgrade has to do with, of the deployment's own. */
export interface Finding {
  /** `blocker`: something stops working, or the upgrade can't be done. `action`: somebody has to do something. */
  severity: Severity;
  area: FindingArea;
  /** What it is about: a command, a directive, a library. */
  subject: string;
  text: string;
  next: string;
  /** Which of the deployment's own: nodes, applications, files, keys. */
  concerns: string[];
  /** Where it is written; absent of what was measured on the two servers. */
  source?: string;
}

/** Blockers first; within one severity as they were found. */
export const bySeverity = (findings: readonly Finding[]): Finding[] =>
  findings.toSorted((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));

/** Some of many, for a sentence. */
export function some(names: readonly string[], most = 5): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
