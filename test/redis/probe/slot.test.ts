import { expect, test } from 'vitest';
import { crc16, keySlot, tagsFor } from '../../../redis/probe/slot.js';

test.each([
  // The check value of CRC-16/XMODEM, as the cluster specification quotes it.
  ['123456789', 0x31c3],
  ['', 0],
])('the CRC of %j', (text, expected) => expect(crc16(Buffer.from(text))).toBe(expected));

// Answers of CLUSTER KEYSLOT of 5.0.6 and 8.0.2.
test.each([
  ['foo', 12182],
  ['bar', 5061],
  ['somekey', 11058],
  ['{user1000}.following', 3443],
  ['{user1000}.followers', 3443],
  ['foo{}{bar}', 8363],
  ['foo{{bar}}zap', 4015],
  ['foo{bar}{zap}', 5061],
])('the slot of %s', (key, slot) => expect(keySlot(key)).toBe(slot));

test('tags belong to the ranges, each to another slot', () => {
  const tags = tagsFor([[0, 99], [5000, 5000]], 40); // prettier-ignore
  const slots = tags.map((tag) => keySlot(`any:{${tag}}:key`));
  expect(new Set(slots).size).toBe(40);
  for (const slot of slots) expect(slot <= 99 || slot === 5000).toBe(true);
});

test('a shard of one slot has one tag, however many are asked for', () => {
  const tags = tagsFor([[16383, 16383]], 4);
  expect(tags.map((tag) => keySlot(`{${tag}}`))).toEqual([16383]);
});
