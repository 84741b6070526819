import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { ProbeGap, ProbeSecond, ProbeSeries } from '../../model/evidence.js';
import { bounded, keepLongest, percentile } from './rows.js';

export type SeriesName = Pick<ProbeSeries, 'shard' | 'operation' | 'client'>;

/** How a series is kept on disk, and joined with those of other runs. */
export interface SavedSeries extends SeriesName {
  operations: number;
  failed: number;
  failures: Record<string, number>;
  /** HDR histogram of µs, compressed, base64. */
  histogram: string;
  maxMs: number;
  gaps: ProbeGap[];
  seconds: ProbeSecond[];
  /** Unix ms. */
  savedAt: number;
}

interface OpenSecond {
  ok: number;
  failed: number;
  latencies: number[];
}

const newHistogram = (): Histogram =>
  build({ bitBucketSize: 32, autoResize: true, numberOfSignificantValueDigits: 3, highestTrackableValue: 2 ** 25 });

/**
 * What one client saw of one shard. Operations belong to the second that they were scheduled in, and their latency
 * counts from then: a stall shows in every operation that it delayed, sent or not. All times are Unix ms.
 */
export class Series {
  #histogram = newHistogram();
  #operations = 0;
  #failed = 0;
  readonly #failures: Record<string, number> = {};
  #maxMs = 0;
  readonly #gaps: ProbeGap[] = [];
  #rows: ProbeSecond[] = [];
  readonly #open = new Map<number, OpenSecond>();
  /** When an operation was acknowledged last; the gap that may be open began then. */
  #lastAck: number;

  constructor(
    readonly name: SeriesName,
    startedAt: number,
  ) {
    this.#lastAck = startedAt;
  }

  /** @param failure its kind; undefined for an acknowledged operation */
  settle(scheduledAt: number, at: number, failure?: string): void {
    const ms = Math.max(0, at - scheduledAt);
    const second = this.#second(scheduledAt);
    this.#operations++;
    if (failure === undefined) {
      second.ok++;
      if (at > this.#lastAck) {
        keepLongest(this.#gaps, { ms: at - this.#lastAck, at: this.#lastAck });
        this.#lastAck = at;
      }
    } else {
      second.failed++;
      this.#failed++;
      this.#failures[failure] = (this.#failures[failure] ?? 0) + 1;
    }
    // An error that comes at once would flatter the percentiles; one that timed out took all that time.
    if (failure !== undefined && failure !== 'timeout') return;
    second.latencies.push(ms);
    this.#histogram.recordValue(Math.max(1, Math.round(ms * 1000)));
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  /** The probe itself stood still until `at`: no gap is claimed for a time in which nothing was scheduled. */
  interrupted(at: number): void {
    this.#lastAck = Math.max(this.#lastAck, at);
  }

  /** Turns seconds that began before `until` into rows; no operation of theirs may be open any more. */
  close(until: number): void {
    for (const [t, { ok, failed, latencies }] of this.#open) {
      if (t * 1000 >= until) continue;
      this.#open.delete(t);
      latencies.sort((a, b) => a - b);
      const [p50, p99, max] = [50, 99, 100].map((p) => round(percentile(latencies, p))) as [number, number, number];
      this.#rows.push({ t, ok, failed, p50, p99, max });
    }
    this.#rows.sort((a, b) => a.t - b.t);
    this.#rows = bounded(this.#rows);
  }

  /** Latencies and counts of what was scheduled since `since`. */
  window(since: number): { ok: number; failed: number; latencies: number[] } {
    const recent = [...this.#open].filter(([t]) => t * 1000 >= since - 1000).map(([, second]) => second);
    return {
      ok: recent.reduce((sum, { ok }) => sum + ok, 0),
      failed: recent.reduce((sum, { failed }) => sum + failed, 0),
      latencies: recent.flatMap(({ latencies }) => latencies),
    };
  }

  /** The longest gap so far, ms, the open one included. */
  longestGapMs(now: number): number {
    return Math.max(this.#gaps[0]?.ms ?? 0, now - this.#lastAck);
  }

  /** @param now until when operations were scheduled: the end of a gap that is still open */
  save(now: number): SavedSeries {
    const gaps = [...this.#gaps];
    if (now > this.#lastAck) keepLongest(gaps, { ms: now - this.#lastAck, at: this.#lastAck });
    return {
      ...this.name,
      operations: this.#operations,
      failed: this.#failed,
      failures: { ...this.#failures },
      histogram: encodeIntoCompressedBase64(this.#histogram),
      maxMs: this.#maxMs,
      gaps,
      seconds: [...this.#rows],
      savedAt: now,
    };
  }

  #second(at: number): OpenSecond {
    const t = Math.floor(at / 1000);
    const second = this.#open.get(t) ?? { ok: 0, failed: 0, latencies: [] };
    this.#open.set(t, second);
    return second;
  }
}

/** One series of the report from those of each run, in the order of the runs. */
export function joinSeries(saved: readonly [SavedSeries, ...SavedSeries[]]): ProbeSeries {
  const histogram = newHistogram();
  const failures: Record<string, number> = {};
  const gaps: ProbeGap[] = [];
  for (const each of saved) {
    histogram.add(decodeFromCompressedBase64(each.histogram));
    for (const [kind, count] of Object.entries(each.failures)) failures[kind] = (failures[kind] ?? 0) + count;
    for (const gap of each.gaps) keepLongest(gaps, { ms: round(gap.ms), at: round(gap.at) });
  }
  const ms = (p: number): number => round(histogram.getValueAtPercentile(p) / 1000);
  const { shard, operation, client } = saved[0];
  return {
    shard,
    operation,
    client,
    operations: saved.reduce((sum, each) => sum + each.operations, 0),
    failed: saved.reduce((sum, each) => sum + each.failed, 0),
    failures,
    latency: {
      p50: ms(50),
      p90: ms(90),
      p99: ms(99),
      p999: ms(99.9),
      max: round(Math.max(...saved.map((each) => each.maxMs))),
    },
    longestGap: gaps[0] ?? { ms: 0, at: saved[0].savedAt },
    gaps,
    seconds: bounded(saved.flatMap((each) => each.seconds).sort((a, b) => a.t - b.t)),
  };
}

/** To the microsecond, or the millisecond's thousandth of a Unix time. */
const round = (ms: number): number => Math.round(ms * 1000) / 1000;
