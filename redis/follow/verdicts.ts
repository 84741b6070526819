import { setTimeout as sleep } from 'node:timers/promises';
import { textOf } from '../resp.js';
import { settle } from '../verify/settle.js';
import type { Sides } from '../verify/side.js';
import { isValueType } from '../verify/values.js';
import type { Comparison } from './comparison.js';
import { DirtyKeys } from './dirty-keys.js';

export interface VerdictsInput {
  comparison: Comparison;
  dirty: DirtyKeys;
  ttlToleranceMs: number;
  /** Has a key copied again. */
  recopy: (db: number, key: Buffer) => void;
  /** Why nothing may be compared now; undefined while it may. */
  holds: () => string | undefined;
  /** Values that the standby won't take, by `database:name`. */
  isRefused: (name: string) => boolean;
  signal: AbortSignal;
}

/** What differs is looked at a second time so much later: time for what either has hidden and not yet deleted. */
const SECOND_LOOK_MS = 1500;
const CATCH_UP_MS = 30_000;
/** A key that was copied so often and still differs is left as it is for a while. */
const COPIES = 3;
const LATER_MS = 60_000;

/** Finds out which keys really differ, has them copied again, and looks whether they are the same then. */
export class Verdicts {
  constructor(
    readonly input: VerdictsInput,
    readonly sides: Sides,
    /** Both sides are in this database afterwards. */
    readonly select: (db: number) => Promise<void>,
  ) {}

  /** What was found to differ, and has been copied again since. */
  async lookAgain(): Promise<void> {
    const { comparison, dirty, holds } = this.input;
    const now = performance.now();
    const due = [...comparison.open.values()].filter(
      (it) => it.notBefore <= now && !dirty.has(it.db, it.key) && holds() === undefined,
    );
    for (const db of new Set(due.map((it) => it.db))) {
      await this.select(db);
      const some = due.filter((it) => it.db === db);
      const { different, unsettled } = await this.#settled(
        db,
        some.map(({ key }) => key),
      );
      for (const it of some) {
        const still = different.find(({ key }) => key.equals(it.key));
        if (still) await this.#differs(db, it.key, still.what);
        else if (unsettled.some((key) => key.equals(it.key))) it.notBefore = performance.now() + SECOND_LOOK_MS;
        else comparison.putRight(it);
      }
    }
  }

  /** Keys that were not the same: because of a write under way, as a rule. */
  async judge(db: number, candidates: readonly Buffer[]): Promise<void> {
    const { comparison, dirty } = this.input;
    // Those that are to be copied again are looked at once they have been, or in the next pass.
    const suspects = candidates.filter((key) => !dirty.has(db, key) && !comparison.open.has(DirtyKeys.nameOf(db, key)));
    const first = await this.#settled(db, suspects);
    let { unsettled } = first;
    if (first.different.length > 0) {
      await this.#pause(SECOND_LOOK_MS);
      const second = await this.#settled(
        db,
        first.different.map(({ key }) => key),
      );
      for (const { key, what } of second.different) await this.#differs(db, key, what);
      unsettled = [...unsettled, ...second.unsettled];
    }
    for (const key of unsettled) comparison.leftOut('keys that were written to at each look', key);
  }

  /** Verdicts that hold: for none of the keys that was, or became, dirty meanwhile, and for none while margins change. */
  async #settled(
    db: number,
    keys: readonly Buffer[],
  ): Promise<{ different: { key: Buffer; what: string }[]; unsettled: Buffer[] }> {
    if (keys.length === 0) return { different: [], unsettled: [] };
    const { dirty, holds, ttlToleranceMs, signal } = this.input;
    using watch = dirty.watch(keys.map((key) => DirtyKeys.nameOf(db, key)));
    const { different, unsettled } = await settle(this.sides, keys, {
      ttlToleranceMs,
      catchUpTimeoutMs: CATCH_UP_MS,
      signal,
    });
    const isFree = (key: Buffer): boolean =>
      !dirty.has(db, key) && !watch.added.has(DirtyKeys.nameOf(db, key)) && holds() === undefined;
    return {
      different: different
        .filter(({ key }) => isFree(key))
        .map(({ key, what }) => ({ key, what: what.replaceAll('the replica', 'the standby') })),
      unsettled: [...unsettled, ...different.map(({ key }) => key).filter((key) => !isFree(key))],
    };
  }

  async #differs(db: number, key: Buffer, what: string): Promise<void> {
    const { comparison, isRefused, recopy } = this.input;
    const [type] = await this.sides.primary.pipe.send([['TYPE', key]]);
    const its = textOf(type);
    const lost = its !== 'none' && !isValueType(its);
    if (lost || isRefused(DirtyKeys.nameOf(db, key))) {
      comparison.drop(db, key);
      comparison.leftOut(lost ? `values of type ${its}` : 'values that the older release refused', key);
      return;
    }
    const it = comparison.differs(db, key, what);
    if (it.copies >= COPIES) {
      it.copies = 0;
      it.notBefore = performance.now() + LATER_MS;
      it.what = `${what}; it was copied again ${COPIES} times, and is not the same afterwards`;
      return;
    }
    it.copies++;
    recopy(db, key);
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.input.signal });
  }
}
