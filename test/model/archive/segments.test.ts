// An archive that is taken for whole where a piece of it is missing, or for another shard's.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  parseSegment,
  runAfter,
  segmentObject,
  segmentsOf,
  slotsKey,
  stretchesOf,
  type Segment,
} from '../../../model/archive.js';
import { coverageOf } from '../../../model/archive-coverage.js';

const [A, B] = ['a'.repeat(40), 'b'.repeat(40)];
function segment(first: number, end: number, more: Partial<Segment> = {}): Segment {
  const it = { slots: '0-5460', line: '20261129T231400Z-1a2b3c4d', first, end, from: first, to: end, replid: A, release: '8.0.2', ...more }; // prettier-ignore
  return { ...it, object: segmentObject('orders', it) };
}
const spans = (segments: readonly Segment[]): string[] =>
  stretchesOf(segments).map(({ segments: all }) => `${all[0]?.first}-${all.at(-1)?.end}`);

test('a name tells everything, sorts as the stream goes, and no other name is taken for one', () => {
  const one = segment(1001, 2000, { release: 'valkey-9.1.2' });
  expect(one.object).toBe(
    `orders/archive/0-5460/20261129T231400Z-1a2b3c4d/0000000000001001-0000000000002000_1001-2000_${A}_valkey-9.1.2.stream.gz.sealed`,
  );
  expect(parseSegment(one.object)).toEqual(one);
  const all = [segment(1, 9), segment(10, 99), segment(100, 12_345_678_901)].map(({ object }) => object);
  expect([...all].reverse().sort()).toEqual(all);
  for (const other of [
    'orders/archive/x',
    `${one.object}.partial`,
    'orders/1/manifest.json',
    one.object.replace('_', '-'),
  ])
    expect(segmentsOf([other])).toEqual([]);
});

test('a shard’s slots have one name, however many ranges there are, and others another', () => {
  expect(slotsKey([[0, 5460]])).toBe('0-5460');
  expect(slotsKey([[7, 7], [0, 5]])).toBe('0-5_7'); // prettier-ignore
  const many = Array.from({ length: 100 }, (_, i): [number, number] => [i * 3, i * 3 + 1]);
  expect(slotsKey(many)).toMatch(/^0-1_3-4_.*_and-more-[0-9a-f]{16}$/);
  expect(slotsKey(many).length).toBeLessThan(80);
  expect(slotsKey(many.slice(0, 99))).not.toBe(slotsKey(many));
});

test('one that is missing parts a line in two; what overlaps, since two wrote it, does not', () => {
  expect(spans([segment(1, 10), segment(11, 20), segment(21, 30)])).toEqual(['1-30']);
  expect(spans([segment(1, 10), segment(21, 30)])).toEqual(['1-10', '21-30']);
  expect(spans([segment(1, 10), segment(5, 20), segment(11, 15), segment(21, 30)])).toEqual(['1-30']);
  const other = segment(11, 20, { line: '20261129T231500Z-ffffffff' });
  expect(spans([segment(1, 10), other])).toEqual(['1-10', '11-20']);
  expect(spans([segment(1, 10), segment(11, 20, { slots: '0-5461' })])).toHaveLength(2);
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 2, max: 99 }), { maxLength: 20 }), fc.nat(), (cuts, drop) => {
      const ends = [...cuts.sort((a, b) => a - b), 100];
      const all = ends.map((end, i) => segment((ends[i - 1] ?? 0) + 1, end));
      expect(spans(all)).toEqual(['1-100']);
      const less = all.filter((_, i) => i !== drop % all.length);
      const bytes = stretchesOf(less).flatMap(({ segments }) => segments).reduce((sum, it) => sum + it.end - it.first + 1, 0); // prettier-ignore
      const gone = all[drop % all.length];
      expect(bytes).toBe(100 - ((gone?.end ?? 0) - (gone?.first ?? 0) + 1));
      expect(spans(less).length).toBe(all.length === 1 ? 0 : drop % all.length === 0 || drop % all.length === all.length - 1 ? 1 : 2); // prettier-ignore
    }),
  );
});

test('what follows a snapshot is of its history, and goes on over a failover', () => {
  const stretches = stretchesOf([segment(1, 10), segment(11, 20), segment(21, 30, { replid: B })]);
  const run = (replid: string, offset: number, slots = '0-5460'): string | undefined => {
    const found = runAfter(stretches, { replid, offset }, slots);
    return found && `${found.segments[0]?.first}-${found.segments.at(-1)?.end}`;
  };
  expect(run(A, 0)).toBe('1-30');
  expect(run(A, 10)).toBe('1-30');
  expect(run(A, 15)).toBe('11-30');
  expect(run(A, 20)).toBe('11-30');
  expect(run(B, 20)).toBe('21-30');
  expect(run(B, 30)).toBe('21-30');
  // The history that was left behind at 20 went on elsewhere, perhaps; and of the later one nothing is there before 21.
  expect(run(A, 21)).toBeUndefined();
  expect(run(B, 10)).toBeUndefined();
  expect(run('c'.repeat(40), 5)).toBeUndefined();
  expect(run(A, 10, '0-5461')).toBeUndefined();
});

test('what is covered is told by shard, and what can’t be had with its reason', () => {
  const later = { line: '20261130T010000Z-00000000' };
  const away = { from: 13, to: 16 };
  const found = coverageOf([
    ...[
      segment(1, 10),
      segment(11, 15, { away: { from: 13, to: 15 } }),
      segment(16, 20, { away: { from: 13, to: 16 } }),
    ],
    ...[segment(25, 30), segment(31, 40, later), segment(61, 70, { line: `${later.line}1` })],
    ...[segment(71, 80, { line: `${later.line}2`, replid: B, from: 75 }), segment(1, 5, { slots: '5461-10922' })],
  ]);
  expect(found.map(({ slots }) => slots)).toEqual(['0-5460', '5461-10922']);
  expect(found[0]?.stretches.slice(0, 2)).toEqual([
    { line: '20261129T231400Z-1a2b3c4d', from: 1, to: 20, first: 1, end: 20, segments: 3 },
    { line: '20261129T231400Z-1a2b3c4d', from: 25, to: 30, first: 25, end: 30, segments: 1 },
  ]);
  expect(found[0]?.gaps).toEqual([
    { ...away, why: expect.stringMatching(/^nobody archived; .* --before and --offset$/) as string },
    { from: 20, to: 25, why: 'segments are missing, with offsets 21 to 24' },
    { from: 30, to: 31, why: 'nobody archived, and no node kept what was written' },
    { from: 40, to: 61, why: 'nobody archived, and no node kept what was written' },
    { from: 70, to: 75, why: 'the shard went on with another history' },
  ]);
  expect(found[1]?.gaps).toEqual([]);
});

test('a name says when nobody archived, and one without it is read, too', () => {
  const one = segment(1, 10, { away: { from: 1_800_000_000_000, to: 1_800_000_009_000 } });
  expect(one.object).toMatch(/_8\.0\.2_away-1800000000000-1800000009000\.stream\.gz\.sealed$/);
  expect(parseSegment(one.object)).toEqual(one);
});
