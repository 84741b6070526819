// A class that says more than can be kept would have people go on where they would have stopped.
import { expect, test } from 'vitest';
import { classNow, isWorse, plannedClass } from '../../../model/fallback-class.js';

const pair = { from: '5.0.6', to: '8.0.6' };
const lossless = plannedClass({ fallback: 'standby' }, pair);
const shard = (name: string, kinds: [string, number, string[]][]) => ({
  shard: name,
  follow: { notRepresentable: kinds.map(([what, count, examples]) => ({ what, count, examples })) },
});

test.each([
  ['5.0.6', '8.0.6', 'lossless'],
  ['7.2.4', 'valkey-9.1.2', 'lossless'],
  ['5.0.6', '6.2.14', 'lossless'],
  // Nobody could hold its writes while the standby takes over.
  ['5.0.6', '6.0.16', 'restore-only'],
  // The two would not hear each other on the bus.
  ['5.0.6', '7.2.4', 'restore-only'],
  ['5.0.6', '9.9.9', 'restore-only'],
] as const)('standbys from %s to %s: %s', (from, to, expected) => {
  expect(plannedClass({ fallback: 'standby' }, { from, to }).class).toBe(expected);
});

test('a host name that is announced is heard of by no node before 7.0, so no standby can be a member', () => {
  const pair = { from: '6.2.14', to: '7.0.15' };
  expect(plannedClass({ fallback: 'standby' }, pair).class).toBe('lossless');
  expect(plannedClass({ fallback: 'standby' }, { ...pair, announcesHostname: true }).class).toBe('restore-only');
});

test('without standbys nothing is lossless, and it says by which policy', () => {
  for (const fallback of ['backup', 'none'] as const)
    expect(plannedClass({ fallback }, pair)).toMatchObject({
      class: 'restore-only',
      reason: expect.stringContaining(`policy.fallback is ${fallback}`) as string,
    });
});

test('what the previous release can’t hold is counted over all shards, with examples', () => {
  const now = classNow(lossless, [
    shard('shard-1', [['field TTL', 2, ['a', 'b']]]),
    shard('shard-2', [
      ['field TTL', 1, ['c']],
      ['vector set', 1, ['v']],
    ]),
  ]);
  expect(now).toEqual({
    class: 'lossless-except',
    reason: 'the previous release can’t hold field TTL of 3 keys (a, b, c); vector set of 1 key (v)',
    except: [
      { what: 'field TTL', count: 3, examples: ['a', 'b', 'c'] },
      { what: 'vector set', count: 1, examples: ['v'] },
    ],
  });
  expect(isWorse(now, lossless)).toBe(true);
  expect(isWorse(lossless, now)).toBe(false);
});

test('a key that differs keeps it from being lossless until it was copied again and is the same', () => {
  const news = (different: number) => [
    {
      shard: 'shard-1',
      follow: {
        notRepresentable: [],
        comparison: {
          ...{ keys: 9, expectedKeys: 9, passes: 1, different, found: 1, repaired: 1 - different, notCompared: [] },
          examples: [{ key: 'cart:1', what: 'string: 1 bytes', repaired: different === 0 }],
        },
      },
    },
  ];
  expect(classNow(lossless, news(1))).toEqual({
    class: 'lossless-except',
    reason: '1 key differs from the primary’s, and is copied again (cart:1)',
    except: [{ what: 'values that differ from the primary’s', count: 1, examples: ['cart:1'] }],
  });
  expect(classNow(lossless, news(0))).toEqual(lossless);
});

test('a shard whose standby is lost makes the whole restore-only, whatever the others can’t hold', () => {
  const now = classNow(lossless, [
    shard('shard-1', [['field TTL', 2, ['a']]]),
    { shard: 'shard-2', lost: 'it is gone' },
  ]);
  expect(now).toEqual({ class: 'restore-only', reason: 'shard-2: it is gone' });
});

test('nothing new is lossless still', () => {
  expect(classNow(lossless, [shard('shard-1', []), { shard: 'shard-2' }])).toBe(lossless);
});
