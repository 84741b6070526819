import { nameOf } from './name-of.js';

/** A key of one database, and what becomes of it in another. */
export interface Across {
  from: { db: number; key: Buffer };
  to: { db: number; key: Buffer };
  /** It is no longer where it was. */
  isTaken: boolean;
}

/** What MOVE, and COPY into another database, are about; undefined for every other command. */
export function across(args: readonly Buffer[], db: number): Across | undefined {
  const [, key, second] = args;
  if (!key || !second) return undefined;
  const number = (at: number): number => Number(args[at]?.toString('latin1'));
  const name = nameOf(args);
  if (name === 'MOVE') return { from: { db, key }, to: { db: number(2), key }, isTaken: true };
  if (name !== 'COPY') return undefined;
  const at = args.findIndex((it, i) => i > 2 && /^db$/i.test(it.toString('latin1')));
  return at < 0 ? undefined : { from: { db, key }, to: { db: number(at + 1), key: second }, isTaken: false };
}
