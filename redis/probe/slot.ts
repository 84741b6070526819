import { SLOTS, type SlotRange } from '../../model/topology.js';

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

/** CRC16 of the cluster specification: XMODEM, polynomial 0x1021, initial value 0. */
export function crc16(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ byte] ?? 0);
  return crc;
}

let undone: Uint16Array | undefined;

/** The two bytes that make `wanted` of a checksum so far. There is one such pair for each. */
export function trailing(sofar: number, wanted: number): Buffer {
  if (!undone) {
    undone = new Uint16Array(65_536);
    // Two bytes behind a checksum are the same as zeros behind that and them.
    for (let pair = 0; pair < 65_536; pair++) undone[crc16(Buffer.from([pair >> 8, pair & 0xff]))] = pair;
  }
  const pair = (undone[wanted] ?? 0) ^ sofar;
  return Buffer.from([pair >> 8, pair & 0xff]);
}

/** The hash slot of a key, 0–16383: of what stands between the first `{` and the next `}`, if anything does. */
export function keySlot(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return crc16(Buffer.from(close > open + 1 ? key.slice(open + 1, close) : key)) % SLOTS;
}

const [OPEN, CLOSE] = [0x7b, 0x7d];

/** As `keySlot`, of a key as it is sent. */
export function slotOf(key: Buffer): number {
  let from = 0;
  let to = key.length;
  const open = key.indexOf(OPEN);
  const close = open < 0 ? -1 : key.indexOf(CLOSE, open + 1);
  if (close > open + 1) [from, to] = [open + 1, close];
  let crc = 0;
  for (let i = from; i < to; i++) crc = ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ (key[i] ?? 0)] ?? 0);
  return crc & (SLOTS - 1);
}

/** Hash tags `{0}`, `{1}`, … of different slots, all of them in the ranges: the first `count` that there are. */
export function tagsFor(ranges: readonly SlotRange[], count: number): string[] {
  const slots = ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0);
  const tags = new Map<number, string>();
  for (let n = 0; tags.size < Math.min(count, slots); n++) {
    const slot = keySlot(String(n));
    if (!tags.has(slot) && ranges.some(([from, to]) => slot >= from && slot <= to)) tags.set(slot, String(n));
  }
  return [...tags.values()];
}
