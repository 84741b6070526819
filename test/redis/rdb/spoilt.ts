import { Crc64 } from '../../../redis/rdb/crc64.js';
import type { Draw } from '../rewrite/random-commands.js';

/** What says most in few bytes: lengths of 2^32 and 2^63, encodings, opcodes, the end marker, nothing at all. */
const worst: readonly (readonly number[])[] = [
  [0x80, 0xff, 0xff, 0xff, 0xff],
  [0x81, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x81, 0, 0, 0, 0, 0x40, 0, 0, 0],
  [0xc3, 0x01, 0x80, 0x3f, 0xff, 0xff, 0xff],
  [0xc0],
  [0x7f, 0xff],
  [0xff],
  [0xfe, 0],
  [0xfc],
  [0xf5],
  [0xf7, 0x81],
  [0, 0, 0, 0, 0, 0, 0, 0],
];

/** A file with one to three changes, drawn: bytes turned, cut out, put in, repeated or put elsewhere; or cut off. */
export function spoilt(draw: Draw, file: Buffer): Buffer {
  let bytes = file;
  for (let changes = 1 + draw(3); changes > 0; changes--) bytes = changed(draw, bytes);
  return bytes;
}

function changed(draw: Draw, bytes: Buffer): Buffer {
  if (bytes.length < 2) return bytes;
  const at = draw(bytes.length);
  const length = Math.min(1 + draw(draw(2) === 0 ? 4 : 400), bytes.length - at);
  const [before, part, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)];
  switch (draw(8)) {
    case 0:
      return Buffer.concat([before, Buffer.from([(bytes[at] ?? 0) ^ (1 << draw(8))]), bytes.subarray(at + 1)]);
    case 1:
      return Buffer.concat([before, Buffer.from(Array.from(part, () => draw(256))), after]);
    case 2:
      return Buffer.concat([before, after]);
    case 3:
      return Buffer.concat([before, part, part, after]);
    case 4:
      return Buffer.concat([before, Buffer.from(Array.from({ length: 1 + draw(9) }, () => draw(256))), part, after]);
    case 5:
      return Buffer.concat([before, Buffer.from(worst[draw(worst.length)] ?? []), part, after]);
    case 6: {
      const to = draw(before.length + after.length + 1);
      const rest = Buffer.concat([before, after]);
      return Buffer.concat([rest.subarray(0, to), part, rest.subarray(to)]);
    }
    default:
      return before;
  }
}

const CRC_BYTES = 8;

/** With a checksum that is right: what is wrong with it has to be seen elsewhere, or can't be. */
export function sealedAnew(file: Buffer): Buffer {
  const body = file.subarray(0, Math.max(0, file.length - CRC_BYTES));
  return Buffer.concat([body, Buffer.from(new Crc64().update(body).hex(), 'hex').reverse()]);
}
