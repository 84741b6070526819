import type { AssessmentDocument } from '../../model/assessment/document.js';
import type { BackupManifest, BackupVerdict } from '../../model/backup-manifest.js';
import { formatDuration } from '../../model/duration.js';
import type { ApprovalRecord } from '../../model/operation.js';
import { phaseMs } from '../../model/phases.js';
import type { ReportData } from '../../model/report.js';
import type { StagingRecord } from '../../model/staging.js';
import { validationVerdict } from '../../model/validation/judge.js';

/** One part of `--full`, as it reported itself: `staging: fallback to 5.0.6`, `passed`. */
export interface PhaseSummary {
  name: string;
  verdict: string;
  durationMs: number;
}

const between = (from: string, until: string): number => Date.parse(until) - Date.parse(from);

export function assessmentPhase({ findings, startedAt, endedAt }: AssessmentDocument): PhaseSummary {
  const blockers = findings.filter(({ severity }) => severity === 'blocker').length;
  return {
    name: 'assessment',
    verdict: blockers === 1 ? '1 blocker' : `${blockers} blockers`,
    durationMs: between(startedAt, endedAt),
  };
}

/** @param provenMs how long the proof took */
export const backupPhases = (
  { shards, startedAt, endedAt }: BackupManifest,
  { result }: BackupVerdict,
  provenMs: number,
): PhaseSummary[] => [
  { name: 'backup', verdict: `${shards.length} shards`, durationMs: between(startedAt, endedAt) },
  { name: 'backup verification', verdict: result, durationMs: Math.round(provenMs) },
];

/**
 * Each step of the rehearsal, what its benchmarks came to, who signed it off, and the whole.
 *
 * @param approvals as its status has them
 */
export function stagingPhases(record: StagingRecord, approvals: readonly ApprovalRecord[]): PhaseSummary[] {
  const { steps, benchmarks, decision, startedAt, endedAt } = record;
  const measuring = steps.filter(({ name }) => name.startsWith('benchmark '));
  return [
    ...steps.map(({ name, result, tookMs }) => ({ name: `staging: ${name}`, verdict: result, durationMs: tookMs })),
    {
      name: 'benchmark',
      verdict: benchmarkVerdict(benchmarks),
      durationMs: measuring.reduce((sum, { tookMs }) => sum + tookMs, 0),
    },
    ...approvals.map((it) => approvalPhase('staging', it, endedAt)),
    { name: 'staging', verdict: decision, durationMs: between(startedAt, endedAt) },
  ];
}

/** Of all targets the worst; `measured` where there are none, or nothing was. */
function benchmarkVerdict(benchmarks: StagingRecord['benchmarks']): string {
  const verdicts = benchmarks.filter(({ target }) => target !== undefined).map(({ verdict }) => verdict);
  return (['missed', 'noise', 'met'] as const).find((it) => verdicts.includes(it)) ?? 'measured';
}

/** From when it was asked until the last answer; of one that nobody decided, until the end. */
function approvalPhase(of: string, { approval, state, askedAt, answers }: ApprovalRecord, end: string): PhaseSummary {
  const until = state === 'open' ? end : (answers.at(-1)?.at ?? end);
  return { name: `${of}: approval ${approval}`, verdict: state, durationMs: between(askedAt, until) };
}

/** These are parts that the issue of an upgrade is looked for in, and have names of their own. */
const OWN: readonly string[] = ['validation', 'finalize'];

/** Production's upgrade: its parts, what validation found, what people said, and the whole. */
export function upgradePhases({ status, validation, generatedAt }: ReportData): PhaseSummary[] {
  const { phases = [], approvals, startedAt, endedAt = generatedAt, result = 'stopped' } = status;
  if (phases.length === 0) throw new Error('the report knows nothing of the phases of the upgrade');
  const asked = approvals.map((it) => ({ at: it.askedAt, phase: approvalPhase('upgrade', it, endedAt) }));
  const done = phases
    // What of these was asked is among the approvals.
    .filter(({ phase }) => !phase.endsWith(' approval'))
    .map((it) => {
      const found = it.phase === 'validation' && it.verdict === 'done' && validation;
      const phase: PhaseSummary = {
        name: OWN.includes(it.phase) ? it.phase : `upgrade: ${it.phase}`,
        verdict: found ? validationVerdict(found).state : it.verdict,
        durationMs: phaseMs(it, Date.parse(endedAt)),
      };
      return { at: it.from, phase };
    });
  return [
    ...[...done, ...asked].sort((a, b) => a.at.localeCompare(b.at)).map(({ phase }) => phase),
    { name: 'upgrade', verdict: result, durationMs: between(startedAt, endedAt) },
  ];
}

export const tellPhases = (phases: readonly PhaseSummary[]): string[] => {
  const width = Math.max(...phases.map(({ name }) => name.length));
  const wide = Math.max(...phases.map(({ verdict }) => verdict.length));
  return phases.map(
    ({ name, verdict, durationMs }) => `${name.padEnd(width)}  ${verdict.padEnd(wide)}  ${formatDuration(durationMs)}`,
  );
};
