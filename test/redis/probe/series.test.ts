import { expect, test } from 'vitest';
import type { ProbeSecond } from '../../../model/evidence.js';
import { condense } from '../../../redis/probe/rows.js';
import { joinSeries, Series } from '../../../redis/probe/series.js';

const name = { shard: 'shard-1', operation: 'write', client: 'raw' } as const;
const START = 1_700_000_000_000;

test('a stall shows in every operation that it delayed, and as one gap', () => {
  const series = new Series(name, START);
  for (let i = 0; i < 50; i++) {
    const at = START + i * 20;
    // From 200 to 700 ms nothing is answered; what was due in between is answered at 700.
    series.settle(at, at >= START + 200 && at < START + 700 ? START + 700 : at + 1);
  }
  series.close(Infinity);
  const report = joinSeries([series.save(START + 1000)]);
  expect(report.longestGap).toEqual({ ms: 519, at: START + 181 });
  expect(report.latency.max).toBe(500);
  // Half of them waited; a closed loop would have shown one slow operation, and a median of 1 ms.
  expect(report.latency.p90).toBeGreaterThan(300);
  expect(report.seconds).toEqual([{ t: START / 1000, ok: 50, failed: 0, p50: 1, p99: 500, max: 500 }]);
});

test('a gap that is still open counts, and errors that come at once do not flatter the percentiles', () => {
  const series = new Series(name, START);
  series.settle(START, START + 5);
  for (let i = 1; i <= 100; i++) series.settle(START + i, START + i, 'READONLY');
  series.settle(START + 200, START + 10_200, 'timeout');
  const report = joinSeries([series.save(START + 3005)]);
  expect(report.longestGap).toEqual({ ms: 3000, at: START + 5 });
  expect(report).toMatchObject({ operations: 102, failed: 101, failures: { READONLY: 100, timeout: 1 } });
  expect(report.latency.max).toBe(10_000);
  expect(report.latency.p50).toBeGreaterThanOrEqual(5);
});

test('two runs join as one; the time between them is no gap', () => {
  const first = new Series(name, START);
  first.settle(START, START + 2);
  const second = new Series(name, START + 60_000);
  second.settle(START + 60_000, START + 60_030);
  second.settle(START + 60_020, START + 60_031, 'timeout');
  for (const each of [first, second]) each.close(Infinity);
  const report = joinSeries([first.save(START + 10), second.save(START + 60_040)]);
  expect(report).toMatchObject({ operations: 3, failed: 1, longestGap: { ms: 30, at: START + 60_000 } });
  expect(report.seconds.map(({ t }) => t)).toEqual([START / 1000, START / 1000 + 60]);
});

test('a day of rows becomes small, and the second of a handover stays a second', () => {
  const loud = 40_000;
  const rows: ProbeSecond[] = Array.from({ length: 86_400 }, (_, t) => ({
    t,
    ok: 50,
    failed: t === 70_000 ? 1 : 0,
    p50: 1,
    p99: 2,
    max: t === loud ? 900 : 3 + (t % 7) / 10,
  }));
  const kept = condense(rows, 2000);
  expect(kept.length).toBeLessThanOrEqual(1000);
  expect(kept.find(({ max }) => max === 900)).toEqual(rows[loud]);
  expect(kept.find(({ failed }) => failed > 0)).toEqual(rows[70_000]);
  expect(kept.reduce((sum, { ok }) => sum + ok, 0)).toBe(86_400 * 50);
  let next = 0;
  for (const { t, span = 1 } of kept) {
    expect(t).toBe(next);
    next = t + span;
  }
  expect(next).toBe(86_400);
});
