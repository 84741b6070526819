import { expect, test } from 'vitest';
import { judgeCatchUp, type CatchUpLook, type CatchUpSeen } from '../../model/catch-up.js';

const limits = { wanted: 1000, maxLag: 100, patienceMs: 60_000, fullResyncs: 3 };
const look: CatchUpLook = {
  ...{ at: 0, loading: false, loadedBytes: 0, syncing: false, receivedBytes: 0 },
  ...{ link: 'up', offset: 1000, primaryOffset: 1000 },
};

/** The verdict after a series of looks, one a second unless they say otherwise; the first that is final ends it. */
function judged(looks: readonly Partial<CatchUpLook>[]): { state: string; reason?: string; after: number } {
  let seen: CatchUpSeen | undefined;
  for (const [i, it] of looks.entries()) {
    const { verdict, seen: next } = judgeCatchUp({ ...look, at: i * 1000, ...it }, seen, limits);
    if (verdict.state !== 'wait' || i === looks.length - 1) return { ...verdict, after: i };
    seen = next;
  }
  throw new Error('no look');
}

const many = (count: number, at: (i: number) => Partial<CatchUpLook>) => Array.from({ length: count }, (_, i) => at(i));

test('a replica that has everything and hardly lags has caught up', () => {
  expect(judged([{ offset: 999 }, { offset: 1000, primaryOffset: 1090 }])).toMatchObject({ state: 'pass', after: 1 });
});

test('a write rate above what it takes: its offset moves for ever, and it comes no nearer', () => {
  const falling = many(200, (i) => ({ offset: 1000 + i * 10, primaryOffset: 2000 + i * 20 }));
  expect(judged(falling)).toMatchObject({
    state: 'fail',
    after: 61,
    reason: expect.stringContaining('no nearer') as string,
  });
});

test('a slow link that comes nearer may take hours', () => {
  const slow = many(7200, (i) => ({ offset: i, primaryOffset: 8000 }));
  expect(judged(slow).state).toBe('wait');
});

test('a resync that starts over for ever is ended at the fourth, however busy each is', () => {
  const cutOff = many(100, (i) => ({ link: 'down' as const, offset: 0, syncing: i % 5 < 4, receivedBytes: i % 5 }));
  expect(judged(cutOff)).toMatchObject({
    state: 'fail',
    after: 15,
    reason: 'began 4 full resyncs and came to the end of none',
  });
});

test('a full resync after two that were cut off counts', () => {
  const third = [{ syncing: true }, {}, { syncing: true }, {}, { syncing: true }].map((it) => ({
    ...{ link: 'down' as const, offset: 0 },
    ...it,
  }));
  expect(judged([...third, {}])).toMatchObject({ state: 'pass', after: 5 });
});

test('a load that goes on is progress, and one that stands is not', () => {
  const loads = (bytes: (i: number) => number) =>
    many(100, (i) => ({ loading: true, link: 'down' as const, loadedBytes: bytes(i) }));
  expect(judged(loads((i) => i)).state).toBe('wait');
  expect(judged(loads((i) => Math.min(i, 9)))).toMatchObject({ state: 'fail', after: 70 });
});
