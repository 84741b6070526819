import type { SlotRange } from '../../model/topology.js';
import { slotOf } from '../probe/slot.js';

/** Which keys of a backup are meant; all, where neither is given. */
export interface Selection {
  /** As KEYS and SCAN take it: `cart:*`, `user:?0[0-9]`, `\*` for a star. */
  pattern?: string;
  slots?: readonly SlotRange[];
}

/** Is this key meant? */
export function selects({ pattern, slots }: Selection): (key: Buffer) => boolean {
  const isIn = slots === undefined ? undefined : tableOf(slots);
  const glob = pattern === undefined ? undefined : Buffer.from(pattern);
  return (key) => (isIn === undefined || isIn[slotOf(key)] === 1) && (glob === undefined || matches(glob, key));
}

function tableOf(slots: readonly SlotRange[]): Uint8Array {
  const table = new Uint8Array(16384);
  for (const [from, to] of slots) table.fill(1, from, to + 1);
  return table;
}

const [STAR, ANY, OPEN, CLOSE, NOT, RANGE, ESCAPE] = [...Buffer.from('*?[]^-\\')] as [number, number, number, number, number, number, number]; // prettier-ignore

/** A glob as Redis matches it (stringmatchlen of util.c), byte by byte. Time is bounded: of stars only the last is gone back to. */
export function matches(glob: Buffer, key: Buffer): boolean {
  let g = 0;
  let k = 0;
  let star = -1;
  let resume = 0;
  while (k < key.length) {
    if (g < glob.length && glob[g] === STAR) {
      star = ++g;
      resume = k;
      continue;
    }
    const next = g < glob.length ? one(glob, g, key[k] as number) : undefined;
    if (next !== undefined) {
      g = next;
      k++;
      continue;
    }
    if (star < 0) return false;
    g = star;
    k = ++resume;
  }
  while (g < glob.length && glob[g] === STAR) g++;
  return g === glob.length;
}

/** Where the glob goes on behind what stands for one byte; undefined where that is another. */
function one(glob: Buffer, at: number, byte: number): number | undefined {
  const it = glob[at] as number;
  if (it === ANY) return at + 1;
  if (it === OPEN) return oneOf(glob, at + 1, byte);
  if (it === ESCAPE && at + 1 < glob.length) return glob[at + 1] === byte ? at + 2 : undefined;
  return it === byte ? at + 1 : undefined;
}

function oneOf(glob: Buffer, from: number, byte: number): number | undefined {
  let at = from;
  const not = glob[at] === NOT;
  if (not) at++;
  let found = false;
  for (; at < glob.length && glob[at] !== CLOSE; at++) {
    if (glob[at] === ESCAPE && at + 1 < glob.length) {
      if (glob[++at] === byte) found = true;
    } else if (glob[at + 1] === RANGE && at + 2 < glob.length) {
      const [a, b] = [glob[at] as number, glob[at + 2] as number];
      at += 2;
      if (byte >= Math.min(a, b) && byte <= Math.max(a, b)) found = true;
    } else if (glob[at] === byte) found = true;
  }
  return found === not ? undefined : Math.min(at + 1, glob.length);
}
