import { crc16, trailing } from '../probe/slot.js';
import { LONG, type Permutation, type Purpose } from './permutation.js';

const [OPEN, CLOSE] = [0x7b, 0x7d];
/** What the last of its bytes are calculated from: that the slot is the same. */
const SOLVED = 2;

/**
 * The key that stands for another: as long, and in the same slot. A hash tag becomes another of its slot, the same one
 * wherever it occurs. No two keys become one. Of one or two bytes, there is no other in the slot: such a key, or tag, stays.
 */
export function maskedKey(key: Buffer, permutation: Permutation): Buffer {
  const open = key.indexOf(OPEN);
  const close = open < 0 ? -1 : key.indexOf(CLOSE, open + 1);
  if (close <= open + 1) return inSlot(key, permutation, { purpose: 'key', without: OPEN, holds: (it) => !hasTag(it) });
  return Buffer.concat([
    part(key.subarray(0, open), permutation, 'before the tag', OPEN),
    key.subarray(open, open + 1),
    inSlot(key.subarray(open + 1, close), permutation, {
      ...{ purpose: 'tag', without: CLOSE, holds: (it) => !it.includes(CLOSE) },
    }),
    key.subarray(close, close + 1),
    part(key.subarray(close + 1), permutation, 'behind the tag'),
  ]);
}

function hasTag(key: Buffer): boolean {
  const open = key.indexOf(OPEN);
  return open >= 0 && key.indexOf(CLOSE, open + 1) > open + 1;
}

/** @param without a byte that would make a tag of it, or end one */
function part(bytes: Buffer, permutation: Permutation, purpose: Purpose, without?: number): Buffer {
  if (bytes.length >= LONG) return lacking(permutation.long(bytes, bytes.length, purpose), without);
  let masked = bytes;
  do masked = permutation.short(masked, purpose);
  while (without !== undefined && masked.includes(without));
  return masked;
}

/** The last two bytes are what gives the same checksum: of all that there are, exactly one pair does. */
function inSlot(
  bytes: Buffer,
  permutation: Permutation,
  { purpose, without, holds }: { purpose: Purpose; without: number; holds: (masked: Buffer) => boolean },
): Buffer {
  const free = bytes.length - SOLVED;
  if (free <= 0) return bytes;
  const checksum = crc16(bytes);
  let masked = bytes;
  for (let attempt = 0; ; attempt++) {
    const drawn =
      free >= LONG
        ? lacking(permutation.long(bytes, free, purpose, attempt), without)
        : permutation.short(masked.subarray(0, free), purpose, checksum);
    masked = Buffer.concat([drawn, trailing(crc16(drawn), checksum)]);
    if (holds(masked)) return masked;
  }
}

function lacking(bytes: Buffer, without: number | undefined): Buffer {
  if (without === undefined) return bytes;
  for (let at = bytes.indexOf(without); at >= 0; at = bytes.indexOf(without, at + 1)) bytes[at] = without ^ 0x20;
  return bytes;
}
