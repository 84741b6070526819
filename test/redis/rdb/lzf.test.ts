import { expect, test } from 'vitest';
import { decompressLzf } from '../../../redis/rdb/lzf.js';

test('literals, and a reference that overlaps what it writes', () => {
  // 'ab', then 9 + 2 more bytes from two back.
  const packed = Buffer.from([1, 97, 98, 0xe0, 2, 1]);
  expect(decompressLzf(packed, 13)?.toString()).toBe('ababababababa');
});

test.each([
  ['a reference before the beginning', [0, 97, 0x20, 5], 4],
  ['literals beyond the input', [31, 97], 32],
  ['more output than announced', [3, 97, 97, 97, 97], 2],
  ['less output than announced', [0, 97], 2],
  ['a reference that is cut off', [0, 97, 0xe0], 10],
])('%s is malformed', (_, packed, size) => {
  expect(decompressLzf(Buffer.from(packed), size)).toBeUndefined();
});
