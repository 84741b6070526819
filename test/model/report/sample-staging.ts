import type { StagingRecord } from '../../../model/staging.js';
import type { StagingReportData } from '../../../model/report/render-staging.js';

type Measured = StagingRecord['benchmarks'][number];

const measure = (name: string, before: number, after: number, more: Partial<Measured> = {}): Measured => {
  const change = after / before - 1;
  return {
    ...{ measure: name, before, after, change, from: change - 0.04, to: change + 0.04, spread: 0.06 },
    ...{ verdict: 'measured', says: `${name} changed` },
    ...more,
  };
};

/** A rehearsal as a worker would have recorded it. */
export function sampleStaging(more: Partial<StagingRecord> = {}): StagingRecord {
  return {
    ...{ format: 1, staging: '20261129T040312Z-ab12cd34', deployment: 'orders', startedBy: 'ana' },
    ...{ startedAt: '2026-11-29T04:03:12.000Z', endedAt: '2026-11-30T06:20:00.000Z' },
    ...{ backup: '20261129T030000Z-00aa11bb', takenAt: '2026-11-29T03:00:00.000Z' },
    ...{ from: '5.0.6', to: '8.0.6', via: [], shards: 3, keys: 1_204_331 },
    steps: [
      { name: 'copy', result: 'passed', tookMs: 61_000, found: '1,204,331 keys on 6 nodes of 5.0.6' },
      { name: 'content', result: 'passed', tookMs: 40_000, found: '1,204,331 keys compared, 0 different' },
      { name: 'upgrade to 8.0.6', result: 'passed', tookMs: 190_000, found: '180,000 commands of clients, 0 failed' },
      { name: 'expiry', result: 'skipped', tookMs: 0, found: 'no server of 8.0.6 is at hand' },
      { name: 'targets', result: 'passed', tookMs: 0, found: '1 met' },
    ],
    benchmarks: [
      measure('latency.p99', 1.2, 0.7, { target: -0.3, verdict: 'met' }),
      measure('latency.string-read.p99', 1.1, 0.72),
      measure('throughput.get', 81_000, 117_000),
      measure('cpu', 22, 21, { verdict: 'noise', spread: 0.4 }),
      measure('memory', 1e9, 9.4e8),
      { measure: 'throughput.hset', verdict: 'noise', says: 'throughput.hset was not measured on both sides' },
    ],
    approvals: [
      {
        ...{ approval: 'product', state: 'approved' },
        answers: [{ by: 'pia', role: 'product', decision: 'approve', at: '2026-11-30T06:00:00.000Z' }],
      },
    ],
    reports: ['/var/lib/rollout/orders-staging/7/report.html'],
    ...{ decision: 'go', why: 'every step passed, and it was signed off' },
    ...more,
  };
}

export const sampleStagingReport = (more: Partial<StagingRecord> = {}): StagingReportData => ({
  generatedAt: '2026-11-30T07:00:00.000Z',
  rehearsal: sampleStaging(more),
});

/** One whose target was missed, whose text is `text`. */
export const failedStaging = (text: string): StagingReportData =>
  sampleStagingReport({
    ...{ decision: 'no-go', why: `targets: ${text}`, approvals: [] },
    steps: sampleStaging().steps.map((it) => (it.name === 'targets' ? { ...it, result: 'failed', found: text } : it)),
    benchmarks: [measure('latency.p99', 0.7, 1.2, { target: -0.3, verdict: 'missed', says: text })],
  });
