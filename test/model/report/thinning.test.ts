import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProbeSecond } from '../../../model/evidence.js';
import { renderReport } from '../../../model/report/render-report.js';
import { thinSeconds } from '../../../model/report/thin-seconds.js';
import { place, ticksOf, timeScale } from '../../../model/report/time-scale.js';
import { sampleReport } from './sample.js';

const second = (t: number, max: number, failed = 0): ProbeSecond => ({
  t,
  ok: 50,
  failed,
  p50: max / 4,
  p99: max / 2,
  max,
});

describe('thinning a long run', () => {
  it('never loses a peak, a failure or an operation, and keeps the order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ max: fc.double({ min: 0.1, max: 9000, noNaN: true }), failed: fc.nat(3) }), {
          minLength: 1,
          maxLength: 400,
        }),
        fc.integer({ min: 1, max: 60 }),
        (values, columns) => {
          const seconds = values.map(({ max, failed }, t) => second(t, max, failed));
          const thin = thinSeconds(seconds, columns, (t) => t / seconds.length);
          expect(thin.length).toBeLessThanOrEqual(columns);
          for (const field of ['p50', 'p99', 'max'] as const)
            expect(Math.max(...thin.map((s) => s[field]))).toBe(Math.max(...seconds.map((s) => s[field])));
          for (const field of ['ok', 'failed'] as const)
            expect(thin.reduce((sum, s) => sum + s[field], 0)).toBe(seconds.reduce((sum, s) => sum + s[field], 0));
          expect(thin.map((s) => s.t)).toEqual(thin.map((s) => s.t).sort((a, b) => a - b));
        },
      ),
    );
  });

  it('leaves the peak where it was', () => {
    const seconds = Array.from({ length: 1000 }, (_, t) => second(t, t === 617 ? 57 : 1));
    const peak = thinSeconds(seconds, 20, (t) => t / 1000).find((s) => s.max === 57);
    expect(peak?.t).toBe(617);
  });

  it('keeps the report of a two-day soak no larger than that of a minute', () => {
    const short = renderReport(sampleReport({ outcome: 'completed', soak: 60 }));
    const data = sampleReport({ outcome: 'completed', soak: 172_800 });
    const long = renderReport(data);
    expect(data.probe?.series[0]?.seconds.length).toBeGreaterThan(172_800);
    // 480 columns against some 160 seconds: three times the points, not a thousand times.
    expect(long.length).toBeLessThan(short.length * 3);
  });
});

describe('the time axis', () => {
  const busy = [
    { from: 0, to: 30_000 },
    { from: 86_400_000, to: 86_430_000 },
  ];
  const scale = timeScale(0, 86_430_000, busy);

  it('folds a day of soaking, so that the work has room', () => {
    expect(scale.folds).toHaveLength(1);
    expect(scale.folds[0]?.text).toMatch(/^(1 d|23 h 59 min)$/);
    expect(place(scale, 30_000)).toBeGreaterThan(0.4);
  });
  it('never runs backwards, and spans the whole width', () => {
    expect(place(scale, 0)).toBe(0);
    expect(place(scale, 86_430_000)).toBe(1);
    fc.assert(
      fc.property(fc.nat(86_430_000), fc.nat(86_430_000), (a, b) => {
        expect(place(scale, Math.min(a, b))).toBeLessThanOrEqual(place(scale, Math.max(a, b)));
      }),
    );
  });
  it('puts its ticks far enough apart to be read, and none into a fold', () => {
    const ticks = ticksOf(scale);
    expect(ticks.length).toBeGreaterThan(3);
    ticks.slice(1).forEach((tick, i) => expect(tick.x - (ticks[i]?.x ?? 0)).toBeGreaterThan(0.09));
  });
  it('folds nothing when nothing is known of the work', () => {
    expect(timeScale(0, 86_400_000, []).folds).toEqual([]);
  });
});
