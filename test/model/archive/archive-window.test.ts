// A moment of the kept window that can't be had any more, because what leads there was pruned.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { segmentObject, type Segment } from '../../../model/archive.js';
import { unneededSegments, windowBeginnings } from '../../../model/archive-window.js';
import type { BackupManifest, SealedShard } from '../../../model/backup-manifest.js';
import { windowsOf, type Window } from '../../../model/recovery.js';

const had = (windows: readonly Window[], ms: number): boolean => windows.some(({ from, to }) => from <= ms && ms <= to);

test('the newest backup from before begins it, and where the archive has a gap the next one behind that', () => {
  const windows = [
    { backup: 'after the gap, later', from: 90, to: 120 },
    { backup: 'after the gap', from: 70, to: 120 },
    { backup: 'within', from: 40, to: 60 },
    { backup: 'begins it', from: 20, to: 60 },
    { backup: 'older', from: 10, to: 60 },
    { backup: 'over before', from: 1, to: 5 },
  ];
  expect([...windowBeginnings(windows, 30)]).toEqual(['begins it', 'after the gap']);
  expect([...windowBeginnings(windows, 65)]).toEqual(['after the gap']);
  expect([...windowBeginnings(windows, 0)]).toEqual(['over before', 'older', 'after the gap']);
  expect([...windowBeginnings(windows, 200)]).toEqual([]);
  expect([...windowBeginnings([], 0)]).toEqual([]);
});

test('whatever could be had from then on can be had with those alone', () => {
  const window = fc.tuple(fc.nat(100), fc.nat(40)).map(([from, length]) => ({ from, to: from + length }));
  fc.assert(
    fc.property(fc.array(window, { maxLength: 12 }), fc.nat(120), (all, from) => {
      const windows = all.map((it, i) => ({ ...it, backup: String(i) }));
      const begins = windowBeginnings(windows, from);
      const kept = windows.filter(({ backup }) => begins.has(backup));
      for (let ms = from + 1; ms <= 145; ms++) expect([ms, had(kept, ms)]).toEqual([ms, had(windows, ms)]);
    }),
  );
});

const replid = 'a'.repeat(40);
const SLOTS = '0-16383';
/** One byte a millisecond, so that offsets are times. */
function segment(first: number, end: number, line = 'line-1'): Segment {
  const it = { slots: SLOTS, line, first, end, from: first, to: end, replid, release: '8.0.2' };
  return { ...it, object: segmentObject('orders', it) };
}
const iso = (ms: number): string => new Date(ms).toISOString();
const backup = (at: number): BackupManifest => {
  const shard: SealedShard = {
    ...{ shard: 'shard-1', slots: [[0, 16383]], object: 'x', node: 'x', role: 'replica', rdbVersion: 12, keys: 1 },
    ...{ expires: 0, databases: [], functions: 0, replid, offset: at, compression: 'gzip', key: 'k' },
    ...{ rdb: { bytes: 1, sha256: '0' }, sealed: { bytes: 1, sha256: '0' }, endedAt: iso(at), cutAt: iso(at) },
  };
  const about = { format: 1 as const, deployment: 'orders', startedBy: 'ana', cutWithinMs: 0, shards: [shard] };
  return { ...about, backup: String(at), startedAt: iso(at), endedAt: iso(at) };
};

test('segments go that ended before the window and are behind no backup that begins it', () => {
  const all = [segment(1, 10), segment(11, 20), segment(21, 30), segment(31, 40), segment(71, 80, 'line-2')];
  const going = (backups: number[], until: number): number[] =>
    unneededSegments(all, backups.map(backup), until).map(({ first }) => first);
  expect(going([25], 1000)).toEqual([1, 11, 71]);
  // The one in which its next byte is, and the one that ends with the byte before.
  expect(going([20], 1000)).toEqual([1, 71]);
  expect(going([25, 5], 1000)).toEqual([71]);
  expect(going([25], 15)).toEqual([1]);
  expect(going([], 1000)).toEqual([1, 11, 21, 31, 71]);
  expect(going([], 30)).toEqual([1, 11]);
});

test('of lines with gaps, two writers and any backups: whatever is removed, and however far, every moment stays', () => {
  const cut = fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 30 }), fc.constantFrom('line-1', 'line-2'));
  fc.assert(
    fc.property(
      ...[fc.array(cut, { maxLength: 25 }), fc.uniqueArray(fc.nat(200), { maxLength: 6 }), fc.nat(220), fc.nat(30)],
      (cuts, at, from, done) => {
        const segments = cuts.map(([first, length, line]) => segment(first + 1, first + length, line));
        const backups = at.map(backup);
        const before = windowsOf(backups, segments);
        const begins = windowBeginnings(before, from);
        const needing = backups.filter(({ backup: id, startedAt }) => begins.has(id) || Date.parse(startedAt) >= from);
        // Interrupted anywhere, the oldest first.
        const gone = new Set(unneededSegments(segments, needing, from).slice(0, done));
        const after = windowsOf(needing, segments.filter((it) => !gone.has(it))); // prettier-ignore
        for (let ms = from + 1; ms <= 235; ms++) expect([ms, had(after, ms)]).toEqual([ms, had(before, ms)]);
      },
    ),
    { numRuns: 500 },
  );
});
