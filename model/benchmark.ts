import { z } from 'zod';
import type { LoadResult } from './load-shape.js';
import { changeOf, median, spreadOf } from './statistics.js';
import { deadline, duration } from './quantities.js';

/** What can be told of a benchmark: `latency.p99`, `latency.string-read.p50`, `throughput.get`, `service.hash-write`, … */
const MEASURE =
  /^(latency(\.[a-z]+(-[a-z]+)+)?\.(mean|p50|p90|p99|p999)|throughput\.[a-z]+|service\.[a-z]+(-[a-z]+)+|rate|cpu|memory|fragmentation)$/;

/** Of these more is better; of all others less. */
const moreIsBetter = (measure: string): boolean => measure === 'rate' || measure.startsWith('throughput.');

const target = z.strictObject({
  measure: z
    .string()
    .regex(
      MEASURE,
      'expected a measure such as latency.p99, latency.string-read.p99, throughput.get, service.hash-write, rate, cpu, memory or fragmentation',
    )
    .describe('What of the benchmark.'),
  change: z
    .string()
    .regex(/^[+-]?\d+(\.\d+)?%$/, 'expected a percentage such as -30% or +5%')
    .transform((text) => Number(text.slice(0, -1)) / 100)
    .describe(
      'Against before: -30% of a latency asks for at least so much less, +5% allows for so much more; of a rate or a throughput the other way round.',
    ),
});
type BenchmarkTarget = z.output<typeof target>;

export const benchmarkTargets = z.array(target).default([]);

/** Fewer say nothing of how far they lie apart. */
const LEAST_ROUNDS = 3;

export const benchmarkPolicy = z.strictObject({
  rounds: z
    .int()
    .min(LEAST_ROUNDS)
    .max(100)
    .default(5)
    .describe('How often each benchmark is run at a time; ours and redis-benchmark take turns.'),
  duration: deadline('20s').describe('How long one run of our load is measured.'),
  warmUp: duration('5s').describe('How long it is played before that.'),
  connections: z.int().min(1).max(64).default(4).describe('Connections of our load to each node.'),
  requests: z.int().min(100).default(100_000).describe('Requests of one run of redis-benchmark, of each command.'),
  maxSpread: z
    .number()
    .positive()
    .max(1)
    .default(0.15)
    .describe('How far runs may lie apart, as a share of their median: beyond, it is said so, and nothing is judged.'),
});
export type BenchmarkPolicy = z.output<typeof benchmarkPolicy>;

/** What serving took, of all primaries together. */
export interface Usage {
  /** Processor of the servers for a thousand operations, ms. */
  cpuMsPerThousand: number;
  usedMemoryBytes: number;
  /** Resident by used. */
  fragmentation: number;
  /** µs that a command of a class took within the server. */
  serviceUs: Record<string, number>;
}

/** One run of both benchmarks. */
export interface BenchmarkRound {
  at: string;
  release: string;
  load: LoadResult;
  usage: Usage;
  /** Commands a second, by command, of redis-benchmark; absent where there is none for it. */
  throughput?: Record<string, number>;
}

/** Everything that one run tells, by the names that targets have. */
export function measuresOf({ load, usage, throughput = {} }: BenchmarkRound): Record<string, number> {
  const { mean, p50, p90, p99, p999 } = load.latency;
  const slug = (name: string): string => name.replaceAll(' ', '-');
  return {
    ...prefixed('latency', { mean, p50, p90, p99, p999 }),
    ...Object.fromEntries(
      Object.entries(load.classes).flatMap(([name, { latency }]) => [
        [`latency.${slug(name)}.p50`, latency.p50],
        [`latency.${slug(name)}.p99`, latency.p99],
      ]),
    ),
    rate: load.ratePerSecond,
    ...prefixed('throughput', throughput),
    cpu: usage.cpuMsPerThousand,
    memory: usage.usedMemoryBytes,
    fragmentation: usage.fragmentation,
    ...Object.fromEntries(Object.entries(usage.serviceUs).map(([name, us]) => [`service.${slug(name)}`, us])),
  };
}

const prefixed = (prefix: string, values: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}.${name}`, value]));

export interface Compared {
  measure: string;
  /** Medians; undefined where it was never measured. */
  before?: number;
  after?: number;
  /** Shares of `before`, and the interval in which the change lies with 95 %. */
  change?: number;
  from?: number;
  to?: number;
  /** The wider of both sides'. */
  spread?: number;
  target?: number;
  /** `noise`: the runs lie too far apart for a judgement. `measured`: nobody has set a target. */
  verdict: 'met' | 'missed' | 'noise' | 'measured';
  /** In one sentence. */
  says: string;
}

const percent = (share: number): string => `${share > 0 ? '+' : ''}${(share * 100).toFixed(1)} %`;

/**
 * Before against after, measure by measure. A target is met or missed only where the whole interval of the change lies on
 * one side of it, and the runs close enough together; a verdict is never from one run.
 */
export function compareBenchmarks(
  before: readonly BenchmarkRound[],
  after: readonly BenchmarkRound[],
  targets: readonly BenchmarkTarget[],
  { maxSpread }: Pick<BenchmarkPolicy, 'maxSpread'>,
): Compared[] {
  const [old, fresh] = [before.map(measuresOf), after.map(measuresOf)];
  const names = new Set([
    ...targets.map(({ measure }) => measure),
    ...[...old, ...fresh].flatMap((it) => Object.keys(it)),
  ]);
  const disturbed = disturbance([...before, ...after]);
  return [...names].map((measure) => {
    const target = targets.find((it) => it.measure === measure)?.change;
    const valuesOf = (rounds: readonly Record<string, number>[]): number[] =>
      rounds.flatMap((round) => round[measure] ?? []);
    const lateness = /^(latency|rate)/.test(measure) ? disturbed : undefined;
    const values = { before: valuesOf(old), after: valuesOf(fresh) };
    return compare(measure, values, { maxSpread, target, lateness });
  });
}

function compare(
  measure: string,
  values: { before: readonly number[]; after: readonly number[] },
  { maxSpread, target, lateness }: { maxSpread: number; target: number | undefined; lateness: string | undefined },
): Compared {
  const rounds = Math.min(values.before.length, values.after.length);
  const about = { measure, ...(target === undefined ? {} : { target }) };
  if (rounds === 0) return { ...about, verdict: 'noise', says: `${measure} was not measured on both sides` };
  const [before, after] = [median(values.before), median(values.after)];
  const { change, from, to } = changeOf(values.before, values.after);
  const spread = Math.max(spreadOf(values.before), spreadOf(values.after));
  const found = { ...about, before, after, change, from, to, spread };
  const says = `${measure} ${percent(change)}, with 95 % between ${percent(from)} and ${percent(to)}`;
  const noise =
    rounds < LEAST_ROUNDS
      ? `${rounds} runs are too few`
      : spread > maxSpread
        ? `runs lie ${(spread * 100).toFixed(0)} % apart, more than the ${(maxSpread * 100).toFixed(0)} % of staging.benchmark.maxSpread`
        : lateness;
  if (noise !== undefined) return { ...found, verdict: 'noise', says: `${says}: not judged, since ${noise}` };
  if (target === undefined) return { ...found, verdict: 'measured', says };
  const [best, worst] = moreIsBetter(measure) ? [to, from] : [from, to];
  const reaches = (share: number): boolean => (moreIsBetter(measure) ? share >= target : share <= target);
  if (reaches(worst)) return { ...found, verdict: 'met', says: `${says}: the target of ${percent(target)} is met` };
  if (!reaches(best))
    return { ...found, verdict: 'missed', says: `${says}: the target of ${percent(target)} is missed` };
  return {
    ...{ ...found, verdict: 'noise' },
    says: `${says}: whether the target of ${percent(target)} is met can't be told; more or longer runs would`,
  };
}

/** Where the load itself came late in half of the runs, its machine was measured, and not the servers. */
function disturbance(rounds: readonly BenchmarkRound[]): string | undefined {
  const late = rounds.filter(({ load: { late, latency } }) => late.p99 > Math.max(2, latency.p99 / 2));
  if (late.length * 2 < rounds.length || late.length === 0) return undefined;
  const worst = Math.max(...late.map(({ load }) => load.late.p99));
  return `the machine was too busy for the load itself, which was ${worst.toFixed(1)} ms late at its 99th percentile`;
}
