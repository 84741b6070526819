// A recovery that begins from the wrong backup, goes over a gap, or brings shards to different moments.
import { expect, test } from 'vitest';
import { segmentObject, type Segment } from '../../../model/archive.js';
import type { BackupManifest, SealedShard } from '../../../model/backup-manifest.js';
import { planRecovery, targetsBefore, windowsOf, type Target } from '../../../model/recovery.js';

const replid = 'a'.repeat(40);
const [LOW, HIGH] = ['0-8191', '8192-16383'];
/** One byte a millisecond, so that offsets are times. */
function segment(slots: string, first: number, end: number, line = '20261129T000000Z-00000000'): Segment {
  const it = { slots, line, first, end, from: first, to: end, replid, release: '8.0.2' };
  return { ...it, object: segmentObject('orders', it) };
}
function backup(id: string, at: number): BackupManifest {
  const shard = (name: string, slots: [number, number]): SealedShard => ({
    ...{ shard: name, slots: [slots], object: `orders/${id}/${name}`, node: 'x', role: 'replica', rdbVersion: 12 },
    ...{ keys: 1, expires: 0, databases: [], functions: 0, replid, offset: at, compression: 'gzip', key: 'k' },
    ...{ rdb: { bytes: 1, sha256: '0' }, sealed: { bytes: 1, sha256: '0' }, endedAt: iso(at), cutAt: iso(at) },
  });
  return {
    ...{ format: 1, deployment: 'orders', backup: id, startedBy: 'ana', startedAt: iso(at), endedAt: iso(at) },
    ...{ cutWithinMs: 0, shards: [shard('shard-1', [0, 8191]), shard('shard-2', [8192, 16383])] },
  };
}
const iso = (ms: number): string => new Date(ms).toISOString();
const at = (ms: number) => (): Target => ({ kind: 'instant', ms });

const whole = [LOW, HIGH].flatMap((slots) => [
  segment(slots, 1, 100),
  segment(slots, 101, 200),
  segment(slots, 201, 300),
]);
const backups = [backup('later', 150), backup('earlier', 50)];

test('the newest backup before the point is taken, and of the archive what lies between', () => {
  const found = planRecovery({ backups, segments: whole }, at(250));
  if ('refused' in found) throw new Error(found.refused);
  expect(found.backup.backup).toBe('later');
  expect(found.shards.map(({ segments }) => segments.map(({ first }) => first))).toEqual([
    [101, 201],
    [101, 201],
  ]);
  const earlier = planRecovery({ backups, segments: whole }, at(149));
  expect(earlier).toMatchObject({ backup: { backup: 'earlier' } });
});

test('an earlier backup leads there where a segment behind the later one is missing', () => {
  const lost = whole.filter(({ slots, first }) => slots !== HIGH || first !== 201);
  expect(planRecovery({ backups, segments: lost }, at(199))).toMatchObject({ backup: { backup: 'later' } });
  expect(planRecovery({ backups, segments: lost }, at(250))).toEqual({
    refused: expect.stringMatching(
      /^no backup leads there \(later: shard-2 is archived without a gap until .*00\.200Z only; earlier: shard-2 .*\)\. The nearest that can be had: before it 1970-01-01T00:00:00\.200Z$/,
    ) as string,
  });
  const [one] = [segment(LOW, 1, 100)];
  expect(planRecovery({ backups: [backup('only', 50)], segments: [one, segment(HIGH, 1, 100)] }, at(20))).toEqual({
    refused: expect.stringMatching(
      /was cut at .*050Z, after it.* The nearest that can be had: after it .*\.050Z$/,
    ) as string,
  });
});

test('without a backup, or with one whose slots or history are others, nothing can be had', () => {
  expect(planRecovery({ backups: [], segments: whole }, at(100))).toMatchObject({
    refused: expect.stringMatching(/there is no backup/) as string,
  });
  const moved = whole.map((it) => ({ ...it, slots: `${it.slots}_x` }));
  const other = moved.map((it) => ({ ...it, replid: 'b'.repeat(40) }));
  expect(planRecovery({ backups, segments: other }, at(200))).toMatchObject({
    refused: expect.stringMatching(/no backup lies in it/) as string,
  });
});

test('an offset is looked for in its own line', () => {
  const [begun] = [segment(LOW, 151, 400, '20261130T000000Z-00000000')];
  const target =
    (object: string) =>
    (slots: string): Target =>
      slots === LOW ? { kind: 'offset', offset: 180, object } : { kind: 'instant', ms: 180 };
  const first = whole.find(({ slots, first: from }) => slots === LOW && from === 101);
  expect(planRecovery({ backups, segments: [...whole, begun] }, target(first?.object ?? ''))).toMatchObject({
    backup: { backup: 'later' },
  });
  expect(planRecovery({ backups, segments: whole }, target(begun.object))).toMatchObject({
    refused: expect.stringMatching(/in another line/) as string,
  });
});

test('what came to every shard is undone at each; a shard without it goes to the instant before the first', () => {
  const match = (slots: string, offset: number, ms: number) => ({
    slots,
    object: `${slots} ${offset}`,
    offset,
    at: ms,
  });
  const targets = targetsBefore([
    match(LOW, 10, 1_000_000),
    match(LOW, 40, 2_000_020),
    match(HIGH, 50, 2_000_000),
    match('5-5', 9, 1_900_000),
  ]);
  expect([LOW, HIGH, '5-5', '6-6'].map((slots) => targets?.(slots))).toEqual([
    { kind: 'offset', offset: 40, object: `${LOW} 40` },
    { kind: 'offset', offset: 50, object: `${HIGH} 50` },
    { kind: 'instant', ms: 1_999_999 },
    { kind: 'instant', ms: 1_999_999 },
  ]);
  expect(targetsBefore([])).toBeUndefined();
});

test('what can be had is told by backup', () => {
  expect(windowsOf(backups, whole)).toEqual([
    { backup: 'later', from: 150, to: 300 },
    { backup: 'earlier', from: 50, to: 300 },
  ]);
  expect(
    windowsOf(
      backups,
      whole.filter(({ slots }) => slots === LOW),
    ),
  ).toEqual([]);
});
