import { dense, HEADER, hyperLogLogOf, REGISTERS } from '../verify/hyperloglog.js';
import type { Permutation } from './permutation.js';

/**
 * A HyperLogLog that counts as many, of the same size, with its registers in another order: nobody can ask it any more whether
 * it has seen something. Undefined where the string is none.
 */
export function maskedHyperLogLog(bytes: Buffer, permutation: Permutation): Buffer | undefined {
  const kind = hyperLogLogOf(bytes);
  if (kind === undefined) return undefined;
  const body = bytes.subarray(HEADER);
  const order = <T>(items: T[]): T[] => {
    let left = items.length;
    for (const draw of permutation.draws(bytes, items.length)) {
      const at = draw % left--;
      [items[left], items[at]] = [items[at] as T, items[left] as T];
    }
    return items;
  };
  const masked = kind === 'dense' ? packed(order([...dense(body)])) : Buffer.concat(order(runs(body)));
  return Buffer.concat([bytes.subarray(0, HEADER), masked]);
}

function packed(registers: readonly number[]): Buffer {
  const out = Buffer.alloc((REGISTERS * 6) / 8);
  for (const [i, value] of registers.entries()) {
    const at = (i * 6) >> 3;
    const shift = (i * 6) & 7;
    out[at] = (out[at] ?? 0) | ((value << shift) & 0xff);
    if (shift > 2) out[at + 1] = (out[at + 1] ?? 0) | (value >> (8 - shift));
  }
  return out;
}

/** Of a sparse one: two bytes where they begin with 01. */
function runs(body: Buffer): Buffer[] {
  const all: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const size = ((body[at] ?? 0) & 0xc0) === 0x40 ? 2 : 1;
    all.push(body.subarray(at, at + size));
    at += size;
  }
  return all;
}
