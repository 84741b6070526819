import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Crc64 } from '../../../redis/rdb/crc64.js';

// The plain definition, bit by bit.
function bitwise(bytes: Uint8Array): string {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ (crc & 1n ? 0x95ac9329ac4bc9b5n : 0n);
  }
  return crc.toString(16).padStart(16, '0');
}

test('the checksum is the one that Redis documents for "123456789"', () => {
  expect(new Crc64().update(Buffer.from('123456789')).hex()).toBe('e9c6d914c4b8d9ca');
});

test('any bytes, split anywhere, give what the definition gives', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (parts) => {
      const crc = new Crc64();
      for (const part of parts) crc.update(part);
      expect(crc.hex()).toBe(bitwise(Buffer.concat(parts)));
    }),
  );
});
