// A phase that looks better in the summary than what it reported.
import { expect, test } from 'vitest';
import type { AssessmentDocument } from '../../../model/assessment/document.js';
import type { BackupManifest, BackupVerdict } from '../../../model/backup-manifest.js';
import type { ApprovalRecord } from '../../../model/operation.js';
import type { ReportData } from '../../../model/report.js';
import type { StagingRecord } from '../../../model/staging.js';
import {
  assessmentPhase,
  backupPhases,
  stagingPhases,
  upgradePhases,
  type PhaseSummary,
} from '../../../scripts/demo/phases.js';

const at = (seconds: number): string => new Date(Date.parse('2026-11-21T10:00:00.000Z') + seconds * 1000).toISOString();
const approval = (name: string, more: Partial<ApprovalRecord> = {}): ApprovalRecord => ({
  ...{ approval: name, question: '?', roles: ['product'], quorum: 1, askedAt: at(20), expiresAt: at(9999) },
  ...{ state: 'approved', answers: [{ by: 'cleo', role: 'product', decision: 'approve', at: at(25) }] },
  ...more,
});
const verdictOf = (phases: readonly PhaseSummary[], name: string): string | undefined =>
  phases.find((it) => it.name === name)?.verdict;

test('blockers are counted, and nothing else is one', () => {
  const document = (...severities: string[]): AssessmentDocument =>
    ({
      startedAt: at(0),
      endedAt: at(12),
      findings: severities.map((severity) => ({ severity })),
    }) as unknown as AssessmentDocument;
  expect(assessmentPhase(document('note', 'action'))).toEqual({
    ...{ name: 'assessment', verdict: '0 blockers', durationMs: 12_000 },
  });
  expect(assessmentPhase(document('blocker', 'note')).verdict).toBe('1 blocker');
  expect(assessmentPhase(document('blocker', 'blocker')).verdict).toBe('2 blockers');
});

test('a backup that was only read, or is damaged, says so', () => {
  const manifest = { shards: [{}, {}], startedAt: at(0), endedAt: at(3) } as unknown as BackupManifest;
  for (const result of ['restored', 'read', 'damaged'] as const)
    expect(backupPhases(manifest, { result } as BackupVerdict, 1500.4)).toEqual([
      { name: 'backup', verdict: '2 shards', durationMs: 3000 },
      { name: 'backup verification', verdict: result, durationMs: 1500 },
    ]);
});

const record = (more: Partial<StagingRecord>): StagingRecord =>
  ({
    ...{ startedAt: at(0), endedAt: at(60), decision: 'go', benchmarks: [] },
    steps: [
      { name: 'benchmark on 5.0.6', result: 'passed', tookMs: 5000, found: '' },
      { name: 'fallback to 5.0.6', result: 'failed', tookMs: 7000, found: '' },
      { name: 'benchmark on 5.0.6 again', result: 'passed', tookMs: 6000, found: '' },
    ],
    ...more,
  }) as StagingRecord;

test('of a rehearsal each step says what it found, the benchmark its worst target, and the whole its decision', () => {
  const target = (verdict: 'met' | 'missed' | 'noise') => ({ measure: 'memory', target: 0.1, verdict, says: '' });
  const measured = { measure: 'cpu', verdict: 'measured' as const, says: '' };
  const [met, missed, noise] = [target('met'), target('missed'), target('noise')];
  const phases = stagingPhases(record({ decision: 'no-go', benchmarks: [met, missed, noise] }), [
    approval('product'),
    approval('operations', { state: 'rejected' }),
    approval('security', { state: 'open', answers: [] }),
  ]);
  expect(phases).toEqual([
    { name: 'staging: benchmark on 5.0.6', verdict: 'passed', durationMs: 5000 },
    { name: 'staging: fallback to 5.0.6', verdict: 'failed', durationMs: 7000 },
    { name: 'staging: benchmark on 5.0.6 again', verdict: 'passed', durationMs: 6000 },
    { name: 'benchmark', verdict: 'missed', durationMs: 11_000 },
    { name: 'staging: approval product', verdict: 'approved', durationMs: 5000 },
    { name: 'staging: approval operations', verdict: 'rejected', durationMs: 5000 },
    { name: 'staging: approval security', verdict: 'open', durationMs: 40_000 },
    { name: 'staging', verdict: 'no-go', durationMs: 60_000 },
  ]);
  const benchmark = (benchmarks: StagingRecord['benchmarks']): string | undefined =>
    verdictOf(stagingPhases(record({ benchmarks }), []), 'benchmark');
  expect(benchmark([met, noise, measured])).toBe('noise');
  expect(benchmark([met, measured])).toBe('met');
  // What nobody set a target for is judged by nobody, whatever it says.
  expect(benchmark([{ ...noise, target: undefined }, measured])).toBe('measured');
  expect(benchmark([])).toBe('measured');
});

test('of the upgrade validation says what it found and not that it ended, and what stopped is not done', () => {
  const phase = (name: string, from: number, more: object = {}): object => ({
    ...{ phase: name, verdict: 'done', reason: '', from: at(from), until: at(from + 10) },
    ...more,
  });
  const data = (validation: object | undefined, ...phases: object[]): ReportData =>
    ({
      generatedAt: at(100),
      status: { startedAt: at(0), endedAt: at(90), result: 'completed', phases, approvals: [approval('handover')] },
      validation,
    }) as unknown as ReportData;
  const whole = [phase('assessment', 0), phase('start approval', 10), phase('rolling', 15), phase('validation', 40)];
  const missed = { measures: [{ measure: 'throughput', verdict: 'missed', limit: '' }], checks: [] };
  expect(upgradePhases(data({ measures: [], checks: [] }, ...whole))).toEqual([
    { name: 'upgrade: assessment', verdict: 'done', durationMs: 10_000 },
    { name: 'upgrade: rolling', verdict: 'done', durationMs: 10_000 },
    { name: 'upgrade: approval handover', verdict: 'approved', durationMs: 5000 },
    { name: 'validation', verdict: 'pass', durationMs: 10_000 },
    { name: 'upgrade', verdict: 'completed', durationMs: 90_000 },
  ]);
  expect(verdictOf(upgradePhases(data(missed, ...whole)), 'validation')).toBe('fail');
  // Somebody let it go on: that is on record, whatever was measured last.
  const overridden = phase('validation', 40, { verdict: 'overridden' });
  expect(verdictOf(upgradePhases(data(missed, overridden)), 'validation')).toBe('overridden');
  expect(verdictOf(upgradePhases(data(undefined, phase('finalize', 50, { verdict: 'stopped' }))), 'finalize')).toBe(
    'stopped',
  );
  expect(() => upgradePhases(data(undefined))).toThrow('knows nothing of the phases');
});
