// Segments that are merged again and again, or over what must not be one.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { coveredOf, segmentObject, stretchesOf, type Segment } from '../../../model/archive.js';
import { mergedOf, mergeGroups } from '../../../model/archive-merge.js';

const HOUR = 3_600_000;
const MB = 1024 ** 2;
const named = (it: Omit<Segment, 'object'>): Segment => ({ ...it, object: segmentObject('orders', it) });

const drawn = fc.record({
  ...{ bytes: fc.constantFrom(1, 1000, MB, 30 * MB), minutes: fc.integer({ min: 0, max: 40 }) },
  replid: fc.constantFrom('a'.repeat(40), 'a'.repeat(40), 'b'.repeat(40)),
  away: fc.constantFrom(false, false, false, true),
  /** Missing, there, or written by two. */
  there: fc.constantFrom(0, 1, 1, 1, 1, 1, 2),
});

function lineOf(
  drawn: readonly { bytes: number; minutes: number; replid: string; away: boolean; there: number }[],
): Segment[] {
  let [end, to] = [0, 0];
  return drawn.flatMap(({ bytes, minutes, replid, away, there }) => {
    const [first, from] = [end + 1, to];
    [end, to] = [end + bytes, to + minutes * 60_000];
    const it = { slots: '0-16383', line: 'line-1', first, end, from, to, replid, release: '8.0.2' };
    const late = away ? { away: { from, to } } : {};
    return [named({ ...it, ...late }), named({ ...it, ...late, to: to + 1 })].slice(0, there);
  });
}

test('merged, it is the same stream in fewer pieces, each of one history and one hour; and nothing of it is merged again', () => {
  fc.assert(
    fc.property(fc.array(drawn, { maxLength: 40 }), fc.nat(20), (all, hours) => {
      const segments = lineOf(all);
      const until = hours * HOUR;
      const groups = mergeGroups(segments, until);
      const merged = groups.map((group) => named(mergedOf(group)));
      for (const [i, group] of groups.entries()) {
        expect(new Set(group.map(({ replid }) => replid)).size).toBe(1);
        expect(new Set(group.map(({ to }) => Math.floor(to / HOUR))).size).toBe(1);
        for (const it of group) expect(it.to).toBeLessThan(until);
        expect(group.slice(1).filter(({ away }) => away)).toEqual([]);
        const it = merged[i];
        expect((it?.end ?? 0) - (it?.first ?? 0)).toBeLessThan(64 * MB);
      }
      const spans = (some: readonly Segment[]): [number, number][] =>
        stretchesOf(some).map(({ segments: own }) => [own[0]?.first ?? 0, own.at(-1)?.end ?? 0]);
      const [both, gone] = [
        [...segments, ...merged],
        new Set(coveredOf([...segments, ...merged]).flatMap((it) => it.segments)),
      ];
      expect(spans(both)).toEqual(spans(segments));
      const after = both.filter((it) => !gone.has(it));
      expect(spans(after)).toEqual(spans(segments));
      expect(mergeGroups(after, until)).toEqual([]);
    }),
  );
});
