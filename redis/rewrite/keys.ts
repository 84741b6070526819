import { arg, word } from './rewritten.js';

/** Keys whose content a command depends on, and those that it changes; `all` where they can't be told, or are all. */
export type Keys = { reads: Buffer[]; writes: Buffer[] } | 'all';
export type KeysOf = (args: Buffer[]) => Keys;

const none: Buffer[] = [];
const writes = (keys: Buffer[]): Keys => ({ reads: none, writes: keys });
const number = (args: Buffer[], at: number): number => Number(arg(args, at).toString('latin1'));

export const noKeys: KeysOf = () => ({ reads: none, writes: none });
export const everyKey: KeysOf = () => 'all';
/** One key that is changed, second or at another place. */
export const key: KeysOf = (args) => writes([arg(args, 1)]);
export const keyAt =
  (at: number): KeysOf =>
  (args) =>
    writes([arg(args, at)]);
/** DEL: all that follow, or all but the last. */
export const keys: KeysOf = (args) => writes(args.slice(1));
export const keysButLast: KeysOf = (args) => writes(args.slice(1, -1));
/** MSET, and MSETEX after its count. */
export const pairsFrom =
  (start: number): KeysOf =>
  (args) => {
    const end = start === 1 ? args.length : start + 2 * number(args, start - 1);
    return writes(args.slice(start, end).filter((_, i) => i % 2 === 0));
  };
/** RENAME, LMOVE: taken from one, put into the other. */
export const move: KeysOf = (args) => ({ reads: [arg(args, 1)], writes: [arg(args, 1), arg(args, 2)] });
/** SUNIONSTORE target source … */
export const storeFrom =
  (target: number): KeysOf =>
  (args) => ({ reads: args.slice(target + 1), writes: [arg(args, target)] });
/** PFMERGE target source …: the target's own is merged in. */
export const merge: KeysOf = (args) => ({ reads: args.slice(1), writes: [arg(args, 1)] });
/** ZUNIONSTORE target n source … */
export const storeCounted: KeysOf = (args) => ({
  reads: args.slice(3, 3 + number(args, 2)),
  writes: [arg(args, 1)],
});
/** ZRANGESTORE target source … */
export const storeOne: KeysOf = (args) => ({ reads: [arg(args, 2)], writes: [arg(args, 1)] });
/** LMPOP n key …, BLMPOP timeout n key … */
export const counted =
  (at: number): KeysOf =>
  (args) =>
    writes(args.slice(at + 1, at + 1 + number(args, at)));
/** Within one database; into another it concerns keys of a name that this can't say. */
export const copy: KeysOf = (args) =>
  args.some((_, at) => at > 2 && word(args, at) === 'DB') ? 'all' : { reads: [arg(args, 1)], writes: [arg(args, 2)] };
export const sort: KeysOf = (args) => ({ reads: [arg(args, 1)], writes: after(args, 2, ['STORE']) });
export const georadius: KeysOf = (args) => ({ reads: [arg(args, 1)], writes: after(args, 2, ['STORE', 'STOREDIST']) });
export const streams: KeysOf = (args) => {
  const at = args.findIndex((_, i) => word(args, i) === 'STREAMS') + 1;
  return writes(at === 0 ? none : args.slice(at, at + (args.length - at) / 2));
};

/** The arguments that follow one of these words. */
export function after(args: Buffer[], from: number, words: string[]): Buffer[] {
  const found: Buffer[] = [];
  for (let at = from; at < args.length - 1; at++) if (words.includes(word(args, at))) found.push(arg(args, at + 1));
  return found;
}
