import type { Pair } from './rewritten.js';

const longest = 0x7fff_ffff_ffff_ffffn;

/** A decimal number times `by`, plus `plus`, as text. A sum that no server could store leaves the number as it is. */
export function shifted(number: Buffer, by: 1 | 1000, plus: number): string {
  const text = number.toString('latin1');
  if (text.length <= 12) return String(Number(text) * by + plus);
  const sum = BigInt(text) * BigInt(by) + BigInt(Math.round(plus));
  return String(sum > longest ? BigInt(text) * BigInt(by) : sum);
}

/** When a key or field expires, as options say it. `PX` and `EX` are relative, as releases before 7.0 propagate them. */
export interface Expiry {
  relative: boolean;
  /** Unix time or duration in ms, the margin added. */
  ms: string;
}

/** Reads `EX n`, `PX n`, `EXAT n` or `PXAT n`; undefined for any other word. */
export function expiryOf({ marginMs }: Pair, key: Buffer, name: string, number: Buffer): Expiry | undefined {
  if (name !== 'EX' && name !== 'PX' && name !== 'EXAT' && name !== 'PXAT') return undefined;
  return { relative: name.length === 2, ms: shifted(number, name.startsWith('P') ? 1 : 1000, marginMs(key)) };
}
