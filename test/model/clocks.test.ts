import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clocksOff, clockText, type ClockReading } from '../../model/clocks.js';

const reading = (ms: number, uncertaintyMs = 1): ClockReading => ({ ms, uncertaintyMs });

test('one of six is off: it is named, against one that is not', () => {
  const readings = {
    a: reading(40),
    b: reading(41),
    c: reading(30_041),
    d: reading(39),
    e: reading(40),
    f: reading(42),
  };
  const off = clocksOff(readings, 1000);
  expect(off).toMatchObject([{ address: 'c' }]);
  expect(off.map(clockText)).toEqual([expect.stringMatching(/^the clock of c is 30 s ahead of [abdef]'s$/)]);
});

test('of two it can’t be known which is wrong: what is said is the difference', () => {
  expect(clocksOff({ a: reading(0), b: reading(5000) }, 1000).map(clockText)).toEqual([
    "the clock of b is 5.0 s ahead of a's",
  ]);
});

test('a slow answer is no clock that is off', () => {
  expect(clocksOff({ a: reading(0), b: reading(1500, 800) }, 1000)).toEqual([]);
});

test('however the reader’s own clock stands, and whatever the tolerance, the difference alone counts', () => {
  const clocks = fc.dictionary(fc.string({ minLength: 1 }), fc.integer({ min: -1e6, max: 1e6 }), { minKeys: 1 });
  fc.assert(
    fc.property(clocks, fc.integer({ min: -1e9, max: 1e9 }), fc.nat(1e5), (all, shift, tolerance) => {
      const shifted = (by: number) =>
        Object.fromEntries(Object.entries(all).map(([name, ms]) => [name, reading(ms + by, 0)]));
      const off = clocksOff(shifted(0), tolerance);
      const names = off.map(({ address }) => address);
      expect(clocksOff(shifted(shift), tolerance).map(({ address }) => address).sort()).toEqual(names.sort()); // prettier-ignore
      // Whoever is not named is within the tolerance of the median, and the median is never named.
      for (const { median, ms } of off) {
        expect(names).not.toContain(median);
        expect(Math.abs(ms)).toBeGreaterThan(tolerance);
      }
    }),
  );
});
