import type { ProbeReport, ProbeSeries } from './evidence.js';

export interface ClientSummary {
  operations: number;
  failed: number;
  longestWriteGapMs: number;
  longestReadGapMs: number;
}

/** What clients saw, in four numbers. A gap is the longest that any client of any shard saw. */
export const clientSummary = (report: Pick<ProbeReport, 'series'>): ClientSummary => summarize(report.series);

/** The same for each shard, in the report's order. */
export function shardSummaries(report: Pick<ProbeReport, 'series'>): (ClientSummary & { shard: string })[] {
  const shards = [...new Set(report.series.map((series) => series.shard))];
  return shards.map((shard) => ({
    shard,
    ...summarize(report.series.filter((series) => series.shard === shard)),
  }));
}

function summarize(series: readonly ProbeSeries[]): ClientSummary {
  const longest = (operation: ProbeSeries['operation']): number =>
    Math.max(0, ...series.filter((s) => s.operation === operation).map((s) => s.longestGap.ms));
  return {
    operations: series.reduce((sum, s) => sum + s.operations, 0),
    failed: series.reduce((sum, s) => sum + s.failed, 0),
    longestWriteGapMs: longest('write'),
    longestReadGapMs: longest('read'),
  };
}
