// The ledger must see each write that is not there, of each type, and must not cry over one that is in doubt.
import { expect, test } from 'vitest';
import {
  allLost,
  expiryOff,
  LIFETIME_MS,
  lostByUpgrade,
  missingIn,
  newKey,
  types,
  writeOf,
  writesLost,
  type KeyType,
  type LedgerKey,
} from '../../scripts/chaos/ledger.js';
import type { Reply } from '../../redis/probe/resp.js';

const keyOf = (type: KeyType, acknowledged: number, sent = acknowledged): LedgerKey => ({
  ...newKey('k', type, 8),
  acknowledged,
  sent,
});

/** What a server answers after the first `count` writes, each carried out once. */
function replyAfter(type: KeyType, count: number): Reply {
  const writes = Array.from({ length: count }, (_, i) => writeOf({ key: 'k', type, size: 8 }, i + 1));
  switch (type) {
    case 'string':
    case 'volatile':
      return writes.at(-1)?.[2] ?? null;
    case 'counter':
      return String(count);
    case 'hash':
      return writes.flatMap(([, , field = '', value = '']) => [field, value]);
    case 'zset':
      return writes.flatMap(([, , score = '', member = '']) => [member, score]);
    case 'stream':
      return writes.map(([, , , name = '', value = ''], i) => [`${i}-0`, [name, value]]);
    case 'list':
    case 'set':
      return writes.map(([, , value = '']) => value);
  }
}

test.each(types)('%s: everything is there', (type) => {
  expect(missingIn(keyOf(type, 7), replyAfter(type, 7))).toEqual([]);
});

test.each(types)('%s: the last write is missing', (type) => {
  expect(missingIn(keyOf(type, 7), replyAfter(type, 6))).toHaveLength(1);
});

test.each(types)('%s: the whole key is missing', (type) => {
  expect(missingIn(keyOf(type, 7), type === 'list' ? [] : null).length).toBeGreaterThan(0);
});

test.each(types)('%s: a write whose answer never came may be there or not', (type) => {
  expect(missingIn(keyOf(type, 6, 7), replyAfter(type, 6))).toEqual([]);
  expect(missingIn(keyOf(type, 6, 7), replyAfter(type, 7))).toEqual([]);
});

test.each(types)('%s: an error is no answer', (type) => {
  expect(missingIn(keyOf(type, 1), new Error('CLUSTERDOWN'))).toHaveLength(1);
});

test.each(['hash', 'list', 'set', 'zset', 'stream'] as const)('%s: one in the middle is missing', (type) => {
  const reply = replyAfter(type, 7) as Reply[];
  reply.splice(type === 'hash' || type === 'zset' ? 4 : 2, type === 'hash' || type === 'zset' ? 2 : 1);
  expect(missingIn(keyOf(type, 7), reply)).toEqual([{ writes: 1, what: `k (${type}): write 3 of 7` }]);
});

test('an older value came back, and one that nobody wrote', () => {
  expect(missingIn(keyOf('string', 7), '6:chaosc')).toHaveLength(1);
  expect(missingIn(keyOf('string', 7), '8:chaosc')).toHaveLength(1);
  expect(missingIn(keyOf('string', 7), '7:spoilt')).toHaveLength(1);
});

test.each(types)('%s: every write that is lost with its key is counted, and of a string the last one', (type) => {
  const all = type === 'string' || type === 'volatile' ? 1 : 7;
  const it = keyOf(type, 7);
  expect(writesLost(missingIn(it, type === 'list' ? [] : null))).toBe(all);
  expect(writesLost(missingIn(it, new Error('CLUSTERDOWN')))).toBe(all);
  expect(writesLost(allLost(it, ': nobody serves its slot'))).toBe(all);
  expect(allLost(keyOf(type, 0, 1), ': nobody serves its slot')).toEqual([]);
});

test('a counter that went back lacks as many writes as it went back by', () => {
  expect(writesLost(missingIn(keyOf('counter', 7), '3'))).toBe(4);
  expect(writesLost(missingIn(keyOf('counter', 7), 'spoilt'))).toBe(7);
});

test('each write that the upgrade’s own ledger lost', () => {
  const examples = [{ key: 'probe:1', type: 'string', expected: '7', found: '6' }];
  expect(lostByUpgrade({ lost: 0, examples: [] })).toEqual([]);
  expect(lostByUpgrade({ lost: 12, examples })).toEqual([
    { writes: 12, what: `12 by the upgrade's own ledger: ${JSON.stringify(examples)}` },
  ]);
});

test('a counter or list that was sent again may have more', () => {
  expect(missingIn(keyOf('counter', 7), '8')).toEqual([]);
  expect(missingIn(keyOf('list', 2), ['1:chaosc', '2:chaosc', '2:chaosc'])).toEqual([]);
});

test('an expiry is off by what the way of the write does not explain', () => {
  const it = { ...keyOf('volatile', 3), lastSentAt: 1000, lastAnsweredAt: 1400 };
  expect(expiryOff(it, 1200 + LIFETIME_MS)).toBe(0);
  expect(expiryOff(it, 1900 + LIFETIME_MS)).toBe(500);
  expect(expiryOff(it, 700 + LIFETIME_MS)).toBe(-300);
  expect(expiryOff({ ...it, sent: 4 }, 0)).toBeUndefined();
});
