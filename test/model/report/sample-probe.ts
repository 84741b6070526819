import type { ProbeGap, ProbeSecond, ProbeSeries } from '../../../model/evidence.js';
import type { TimelineEntry } from '../../../model/operation.js';
import type { ReportData } from '../../../model/report.js';

/** What a probe of 50 operations a second would have seen of a shard: its handovers as stalls, the rest as noise. */
export function sampleSeries(
  shard: string,
  timeline: readonly TimelineEntry[],
  handovers: ReportData['handovers'],
  from: number,
  to: number,
  random: () => number,
): ProbeSeries[] {
  const own = timeline.filter((entry) => entry.shard === shard && entry.until !== undefined);
  const windows = own.map((entry) => ({
    kind: entry.kind,
    from: Date.parse(entry.at),
    to: Date.parse(entry.until ?? ''),
  }));
  const moved = handovers.filter((h) => h.shard === shard);
  return (['write', 'read'] as const).flatMap((operation) =>
    (['ioredis', 'raw'] as const).map((client): ProbeSeries => {
      const base = (operation === 'write' ? 0.42 : 0.31) * (client === 'raw' ? 0.8 : 1);
      const stalls: ProbeGap[] = moved.map((h) => ({
        ms: Math.round((h.ms * (operation === 'write' ? 1.1 : 0.7) + 8 * random()) * 10) / 10,
        at: Date.parse(h.at),
      }));
      const idle: ProbeGap[] = Array.from({ length: 10 - stalls.length }, () => ({
        ms: Math.round((20.4 + random() * 6) * 10) / 10,
        at: Math.round(from + random() * (to - from)),
      }));
      const gaps = [...stalls, ...idle].sort((a, b) => b.ms - a.ms);
      const seconds: ProbeSecond[] = [];
      for (let t = Math.ceil(from / 1000) + 1; t * 1000 < to; t++) {
        const busy = windows.some((w) => w.kind !== 'phase' && w.from < t * 1000 + 1000 && w.to > t * 1000);
        const stall = stalls.find((gap) => Math.floor(gap.at / 1000) === t);
        const p50 = base * (0.92 + random() * 0.2) * (busy ? 1.25 : 1);
        const p99 = p50 * (2.2 + random() * 1.2) * (busy ? 1.6 : 1);
        const max = Math.max(p99 * (1.2 + random() ** 4 * 6), stall?.ms ?? 0);
        seconds.push({
          t,
          ok: 50,
          failed: 0,
          p50: round(p50),
          p99: round(stall ? Math.max(p99, stall.ms * 0.8) : p99),
          max: round(max),
        });
      }
      const max = seconds.reduce((most, s) => Math.max(most, s.max), 0);
      return {
        shard,
        operation,
        client,
        operations: seconds.length * 50,
        failed: 0,
        failures: {},
        latency: {
          p50: round(base),
          p90: round(base * 1.7),
          p99: round(base * 3),
          p999: round(Math.min(max, base * 12)),
          max,
        },
        longestGap: gaps[0] ?? { ms: 0, at: from },
        gaps,
        seconds,
      };
    }),
  );
}

const round = (ms: number): number => Math.round(ms * 100) / 100;
