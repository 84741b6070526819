import type { Plan } from '../../plan.js';
import { blockersOf } from '../../plan.js';
import { bySeverity, type Finding } from '../finding.js';
import { commandFindings } from './command-findings.js';
import { dataFindings, moduleFindings, rightFindings } from './data-findings.js';
import type { Evidence } from './evidence.js';
import { knownFindings } from './known-findings.js';
import { scriptFindings } from './script-findings.js';
import { settingFindings, userFindings } from './setting-findings.js';

/** Everything that an upgrade has to do with, of the deployment's own; blockers first. */
export const findingsOf = (evidence: Evidence, plan: Plan): Finding[] =>
  bySeverity([
    ...blockersOf(plan).map(({ subject, text, next }): Finding => ({
      severity: 'blocker',
      area: 'release',
      subject,
      text,
      next: next ?? 'Nothing can be done about it.',
      concerns: [],
    })),
    ...commandFindings(evidence),
    ...scriptFindings(evidence),
    ...settingFindings(evidence),
    ...userFindings(evidence),
    ...moduleFindings(evidence),
    ...dataFindings(evidence),
    ...rightFindings(evidence),
    ...knownFindings(evidence),
  ]);
