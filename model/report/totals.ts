import type { ProbeGap, ProbeSeries } from '../evidence.js';
import type { ReportData } from '../report.js';

export interface WorstGap extends ProbeGap {
  shard: string;
  client: ProbeSeries['client'];
}

/** The report's sums. What was not measured is undefined, never zero. */
export interface Totals {
  /** From start to end, or to the report's time while it runs, ms. */
  elapsedMs: number;
  operations: number | undefined;
  failed: number | undefined;
  /** Failures by kind, most frequent first. */
  failures: [kind: string, count: number][];
  writeGap: WorstGap | undefined;
  readGap: WorstGap | undefined;
  /** Least gap that the probe's rate can tell from none, ms: the time between two of its operations. */
  resolutionMs: number | undefined;
  acknowledged: number | undefined;
  lost: number | undefined;
  /** Acknowledged, yet neither found nor reported lost: not read back. */
  unread: number;
  keys: number | undefined;
  different: number | undefined;
  ttlDriftMs: number;
  partial: number;
  full: number;
  /** Configuration directives that no version explains. */
  changed: number;
}

export function totalsOf(data: ReportData): Totals {
  const { status, probe, verify, resyncs, configuration } = data;
  const series = probe?.series ?? [];
  const measured = series.length > 0;
  const failures = new Map<string, number>();
  for (const one of series)
    for (const [kind, n] of Object.entries(one.failures)) failures.set(kind, (failures.get(kind) ?? 0) + n);
  const ledger = probe?.ledger;
  const probed = probe ? Date.parse(probe.endedAt) - Date.parse(probe.startedAt) : 0;
  const busiest = Math.max(0, ...series.map((one) => one.operations));
  return {
    elapsedMs: Math.max(0, Date.parse(status.endedAt ?? data.generatedAt) - Date.parse(status.startedAt)),
    operations: measured ? sum(series.map((one) => one.operations)) : undefined,
    failed: measured ? sum(series.map((one) => one.failed)) : undefined,
    failures: [...failures].filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]),
    writeGap: worstGap(series, 'write'),
    readGap: worstGap(series, 'read'),
    resolutionMs:
      probe?.rate !== undefined ? 1000 / probe.rate : busiest > 0 && probed > 0 ? probed / busiest : undefined,
    acknowledged: ledger?.acknowledged,
    lost: ledger?.lost,
    unread: ledger ? Math.max(0, ledger.acknowledged - ledger.found - ledger.lost) : 0,
    keys: verify.length > 0 ? sum(verify.map((v) => v.keys)) : undefined,
    different: verify.length > 0 ? sum(verify.map((v) => v.different)) : undefined,
    ttlDriftMs: Math.max(0, ...verify.map((v) => v.ttlDriftMs)),
    partial: resyncs.filter((r) => r.kind === 'partial').length,
    full: resyncs.filter((r) => r.kind === 'full').length,
    changed: configuration.filter((c) => c.kind === 'changed').length,
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** The longest gap of these series for writes or reads; undefined where there are none. */
export function worstGap(series: readonly ProbeSeries[], operation: ProbeSeries['operation']): WorstGap | undefined {
  return series
    .filter((one) => one.operation === operation)
    .map(({ shard, client, longestGap }) => ({ shard, client, ...longestGap }))
    .reduce<WorstGap | undefined>((a, b) => (a && a.ms >= b.ms ? a : b), undefined);
}
