import type { ComparisonPoint, StandbyComparison } from '../../model/follow-state.js';
import { printable } from '../verify/values.js';
import { DirtyKeys } from './dirty-keys.js';
import { Losses } from './state.js';

/** A key that differs until it has been copied again and was found equal. */
export interface OpenKey {
  readonly db: number;
  readonly key: Buffer;
  what: string;
  /** How often it was copied again. */
  copies: number;
  /** Not looked at before, by performance.now(). */
  notBefore: number;
}

/** Held at once; while there are so many, nothing else is looked for. */
const OPEN_AT_MOST = 100;
const OPEN_BYTES = 64 * 1024;
const EXAMPLES = 10;

/** What a comparison has come to, kept across links, and, as plain JSON, across attempts. Memory is bounded. */
export class Comparison {
  readonly open = new Map<string, OpenKey>();
  readonly point: Omit<ComparisonPoint, 'open'>;
  readonly #state: StandbyComparison;
  #left: Losses;

  constructor(known?: StandbyComparison) {
    const { resume, ...state } = structuredClone(known) ?? begun();
    delete state.waitsFor;
    this.#state = state;
    this.#left = new Losses(state.passes === 0 ? state.notCompared : []);
    const { open = [], ...point } = resume ?? { runIds: ['', ''], stage: 'primary', db: 0, cursor: '0', begunAt: 0 };
    this.point = point;
    for (const { db, key, what, copies } of open) {
      const bytes = Buffer.from(key, 'base64');
      this.open.set(DirtyKeys.nameOf(db, bytes), { db, key: bytes, what, copies, notBefore: 0 });
    }
  }

  get full(): boolean {
    if (this.open.size >= OPEN_AT_MOST) return true;
    let bytes = 0;
    for (const { key } of this.open.values()) bytes += key.length;
    return bytes >= OPEN_BYTES;
  }

  /** Another pass begins, over the keys of these processes. */
  begin(runIds: ComparisonPoint['runIds'], expectedKeys: number): void {
    Object.assign(this.point, { runIds, stage: 'primary', db: 0, cursor: '0', begunAt: Date.now() });
    Object.assign(this.#state, { keys: 0, expectedKeys });
    this.#left = new Losses();
  }

  /** Every key of either was looked at. */
  ended(): void {
    const now = Date.now();
    this.#state.passes++;
    this.#state.lastPass = { at: now, keys: this.#state.keys, ms: now - this.point.begunAt };
    this.#state.notCompared = this.#left.list();
    this.point.begunAt = 0;
  }

  get underWay(): boolean {
    return this.point.begunAt > 0;
  }

  compared(keys: number): void {
    this.#state.keys += keys;
  }

  leftOut(what: string, key: Buffer): void {
    this.#left.add(what, [key]);
  }

  differs(db: number, key: Buffer, what: string): OpenKey {
    const name = DirtyKeys.nameOf(db, key);
    const known = this.open.get(name);
    if (known) {
      known.what = what;
      return known;
    }
    const it: OpenKey = { db, key: Buffer.from(key), what, copies: 0, notBefore: 0 };
    this.open.set(name, it);
    this.#state.found++;
    return it;
  }

  /** It was copied again, and is the same. */
  putRight({ db, key }: OpenKey): void {
    if (this.open.delete(DirtyKeys.nameOf(db, key))) this.#state.repaired++;
  }

  /** It can't be held by the older release, and is counted as that. */
  drop(db: number, key: Buffer): void {
    this.open.delete(DirtyKeys.nameOf(db, key));
  }

  waits(why: string | undefined): void {
    if (why === undefined) delete this.#state.waitsFor;
    else this.#state.waitsFor = why;
  }

  now(): StandbyComparison {
    const open = [...this.open.values()];
    return {
      ...this.#state,
      ...(this.#state.passes === 0 ? { notCompared: this.#left.list() } : {}),
      different: open.length,
      examples: open.slice(0, EXAMPLES).map(({ db, key, what }) => ({
        key: db === 0 ? printable(key) : `${printable(key)} (db ${db})`,
        what,
      })),
      resume: {
        ...this.point,
        open: open.map(({ db, key, what, copies }) => ({ db, key: key.toString('base64'), what, copies })),
      },
    };
  }
}

const begun = (): StandbyComparison => ({
  keys: 0,
  expectedKeys: 0,
  passes: 0,
  different: 0,
  examples: [],
  found: 0,
  repaired: 0,
  notCompared: [],
});
