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
  #named: (StandbyComparison['examples'][number] & { of: OpenKey | undefined })[] = [];
  #left: Losses;

  constructor(known?: StandbyComparison) {
    const { resume, ...state } = structuredClone(known) ?? begun();
    delete state.waitsFor;
    this.#state = state;
    this.#left = new Losses(state.passes === 0 ? state.notCompared : []);
    const { open = [], ...point } = resume ?? { runIds: ['', ''], stage: 'primary', db: 0, cursor: '0', begunAt: 0 };
    this.point = point;
    for (const { db, key, what, copies } of open) {
      const it = { db, key: Buffer.from(key, 'base64'), what, copies, notBefore: 0 };
      this.open.set(DirtyKeys.nameOf(db, it.key), it);
    }
    const differing = new Map([...this.open.values()].map((it) => [shown(it), it]));
    for (const example of state.examples) this.#named.push({ ...example, of: differing.get(example.key) });
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
      for (const named of this.#named) if (named.of === known) named.what = what;
      return known;
    }
    const it: OpenKey = { db, key: Buffer.from(key), what, copies: 0, notBefore: 0 };
    this.open.set(name, it);
    this.#state.found++;
    // Those that still differ are the more important ones.
    if (this.#named.length >= EXAMPLES)
      this.#named.splice(
        Math.max(
          0,
          this.#named.findIndex((n) => n.repaired),
        ),
        1,
      );
    this.#named.push({ key: shown(it), what, repaired: false, of: it });
    return it;
  }

  /** It was copied again, and is the same. */
  putRight(it: OpenKey): void {
    if (!this.open.delete(DirtyKeys.nameOf(it.db, it.key))) return;
    this.#state.repaired++;
    for (const named of this.#named) if (named.of === it) Object.assign(named, { repaired: true, of: undefined });
  }

  /** It can't be held by the older release, and is counted as that. */
  drop(db: number, key: Buffer): void {
    const it = this.open.get(DirtyKeys.nameOf(db, key));
    if (!it) return;
    this.open.delete(DirtyKeys.nameOf(db, key));
    this.#state.found--;
    this.#named = this.#named.filter((named) => named.of !== it);
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
      examples: this.#named.map(({ key, what, repaired }) => ({ key, what, repaired })),
      resume: {
        ...this.point,
        open: open.map(({ db, key, what, copies }) => ({ db, key: key.toString('base64'), what, copies })),
      },
    };
  }
}

const shown = ({ db, key }: Pick<OpenKey, 'db' | 'key'>): string =>
  db === 0 ? printable(key) : `${printable(key)} (db ${db})`;

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
