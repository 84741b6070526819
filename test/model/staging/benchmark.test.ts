// A benchmark that judges what it can't know: from one run, on a noisy machine, or where the load itself was late.
import { expect, test } from 'vitest';
import {
  benchmarkPolicy,
  benchmarkTargets,
  compareBenchmarks,
  measuresOf,
  type BenchmarkPolicy,
  type BenchmarkRound,
  type Compared,
} from '../../../model/benchmark.js';
import { changeOf, median, spreadOf } from '../../../model/statistics.js';

const latency = (p99: number) => ({ mean: 1, p50: 1, p90: 2, p99, p999: 9, max: 10 });
const round = (p99: number, { late = 0.1, get = 50_000 } = {}): BenchmarkRound => ({
  ...{ at: '2026-11-30T00:00:00.000Z', release: '5.0.6', throughput: { get } },
  load: {
    ...{ operations: 1000, failed: 0, failures: {}, ratePerSecond: 100, latency: latency(p99), notes: [] },
    classes: { 'string read': { operations: 600, failed: 0, latency: latency(p99 / 2) } },
    late: { p99: late, max: late },
  },
  usage: { cpuMsPerThousand: 20, usedMemoryBytes: 1e6, fragmentation: 1.2, serviceUs: { 'string read': 2 } },
});
const rounds = (values: number[], more = {}): BenchmarkRound[] => values.map((it) => round(it, more));
const judged = (
  before: BenchmarkRound[],
  after: BenchmarkRound[],
  change: number,
  measure = 'latency.p99',
): Compared | undefined =>
  compareBenchmarks(before, after, [{ measure, change }], { maxSpread: 0.15 }).find((it) => it.measure === measure);

const old = rounds([10, 10.2, 9.9, 10.1, 9.8]);

test('a target is a measure and a percentage, and anything else is refused by its field', () => {
  expect(
    benchmarkTargets.parse([
      { measure: 'latency.p99', change: '-30%' },
      { measure: 'memory', change: '5.5%' },
    ]),
  ).toEqual([
    { measure: 'latency.p99', change: -0.3 },
    { measure: 'memory', change: 0.055 },
  ]);
  const wrong = benchmarkTargets.safeParse([{ measure: 'latency', change: '-0.3' }]);
  expect(wrong.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)).toEqual([
    expect.stringMatching(/^0\.measure: expected a measure such as latency\.p99, /),
    '0.change: expected a percentage such as -30% or +5%',
  ]);
});

test('nobody can ask for fewer runs than say how far they lie apart', () => {
  const usual: BenchmarkPolicy = benchmarkPolicy.parse({});
  expect(usual).toMatchObject({ rounds: 5, duration: 20_000, maxSpread: 0.15 });
  expect(benchmarkPolicy.safeParse({ rounds: 2 }).success).toBe(false);
});

test('a latency that fell by half meets a target of -30 %, and misses one of -60 %', () => {
  const fresh = rounds([5, 5.1, 4.9, 5.2, 5]);
  expect(judged(old, fresh, -0.3)).toMatchObject({ verdict: 'met', before: 10, after: 5 });
  expect(judged(old, fresh, -0.6)).toMatchObject({ verdict: 'missed' });
});

test('of a throughput, less is a miss and more is met', () => {
  const [slow, fast] = [rounds([10, 10, 10], { get: 40_000 }), rounds([10, 10, 10], { get: 60_000 })];
  expect(judged(old, slow, -0.05, 'throughput.get')).toMatchObject({ verdict: 'missed' });
  expect(judged(old, fast, 0.1, 'throughput.get')).toMatchObject({ verdict: 'met' });
});

test('runs that lie far apart are said to, and nothing is judged', () => {
  const it = judged(old, rounds([2, 9, 5, 14, 4]), -0.3);
  expect(it).toMatchObject({ verdict: 'noise' });
  expect(it?.says).toMatch(/^latency\.p99 .* not judged, since runs lie \d+ % apart, more than the 15 %/);
});

test('a target within the interval of the change can’t be told', () => {
  const it = judged(old, rounds([6.6, 7.4, 7, 6.8, 7.2]), -0.3);
  expect(it).toMatchObject({ verdict: 'noise' });
  expect(it?.says).toContain('can’t be told'.replace('’', "'"));
});

test('two runs are too few, whatever they say', () =>
  expect(judged(rounds([10, 10]), rounds([1, 1]), -0.3)?.says).toContain('not judged, since 2 runs are too few'));

test('a load that was late itself has measured its machine', () => {
  const it = judged(rounds([10, 10, 10], { late: 8 }), rounds([5, 5, 5], { late: 8 }), -0.3);
  expect(it).toMatchObject({ verdict: 'noise' });
  expect(it?.says).toContain('the machine was too busy for the load itself, which was 8.0 ms late');
  // What the servers count is not disturbed by that.
  expect(judged(rounds([10, 10, 10], { late: 8 }), rounds([5, 5, 5], { late: 8 }), 0.05, 'cpu')?.verdict).toBe('met');
});

test('what nobody has set a target for is told, and what was never measured, too', () => {
  const all = compareBenchmarks(old, old, [{ measure: 'service.hash-write', change: 0 }], { maxSpread: 0.15 });
  expect(all.find(({ measure }) => measure === 'latency.string-read.p99')).toMatchObject({
    ...{ verdict: 'measured', change: 0 },
  });
  expect(all[0]).toEqual({
    ...{ measure: 'service.hash-write', target: 0, verdict: 'noise' },
    says: 'service.hash-write was not measured on both sides',
  });
  expect(Object.keys(measuresOf(round(1)))).toContain('throughput.get');
});

test('the same figures give the same interval, which holds the change', () => {
  const [before, after] = [
    [3, 1, 2],
    [6, 4, 5],
  ];
  const once = changeOf(before, after);
  expect(changeOf(before, after)).toEqual(once);
  expect(once).toMatchObject({ change: 1.5 });
  expect(once.from).toBeLessThanOrEqual(1.5);
  expect(once.to).toBeGreaterThanOrEqual(1.5);
  expect([median([4, 1, 3, 2]), spreadOf([8, 10, 12, 10, 9])]).toEqual([2.5, 0.1]);
});
