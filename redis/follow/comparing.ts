import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import { atLeast } from '../../model/release.js';
import { parseInfo } from '../info.js';
import type { Endpoint } from '../connection.js';
import { textOf } from '../resp.js';
import { EXPIRY_MARGIN_MS } from '../standby/point.js';
import { compareBatch, findExtra } from '../verify/batch.js';
import { scanKeys, type KeyBatch } from '../verify/keys.js';
import { factsOf } from '../verify/node-facts.js';
import { paced } from '../verify/paced.js';
import { Pipe } from '../verify/pipe.js';
import { settle } from '../verify/settle.js';
import type { Side, Sides } from '../verify/side.js';
import { isValueType } from '../verify/values.js';
import type { Comparison } from './comparison.js';
import { DirtyKeys } from './dirty-keys.js';

export interface CompareOptions {
  /** Largest difference of two expiries, the margin taken off, that still counts as the same, ms. */
  ttlToleranceMs: number;
  /** Keys looked at in a second (default 1000). */
  keysPerSecond?: number;
  /** The part of the time that either server is asked for at most (default 0.1). */
  share?: number;
  /** Between two passes, ms (default a minute). */
  restMs?: number;
}

export interface ComparingInput extends CompareOptions {
  primary: Endpoint;
  standby: Endpoint;
  cluster: boolean;
  recordKey: Buffer;
  comparison: Comparison;
  dirty: DirtyKeys;
  /** Has a key copied again. */
  recopy: (db: number, key: Buffer) => void;
  /** Why nothing may be compared now; undefined while it may. */
  holds: () => string | undefined;
  /** The standby has the stream up to there. */
  reached: () => number;
  /** Values that the standby won't take, by `database:name`. */
  isRefused: (name: string) => boolean;
  signal: AbortSignal;
}

const RETRY_MS = 5000;
/** What differs is looked at a second time so much later: time for what either has hidden and not yet deleted. */
const SECOND_LOOK_MS = 1500;
const TIMEOUT_MS = 30_000;
/** A key that was copied so often and still differs is left as it is until the next pass. */
const COPIES = 3;
const LATER_MS = 60_000;

/**
 * Compares a standby with its primary, pass after pass, at a bounded rate, while the standby is followed to; ends with the
 * signal. It never fails: what keeps it from comparing is told instead, since following goes on all the same.
 */
export async function compareOn(input: ComparingInput): Promise<void> {
  const { signal, comparison } = input;
  for (;;) {
    try {
      await using comparing = await Comparing.open(input);
      await comparing.passes();
    } catch (error) {
      if (signal.aborted) return;
      comparison.waits(error instanceof Error ? error.message : String(error));
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
  }
}

class Comparing implements AsyncDisposable {
  #db = 0;

  private constructor(
    readonly input: ComparingInput,
    readonly pipes: readonly [Pipe, Pipe],
    readonly sides: Sides,
  ) {}

  static async open(input: ComparingInput): Promise<Comparing> {
    const { primary, standby, cluster, share = 0.1, signal } = input;
    const [here, there] = await Promise.all([factsOf(primary), factsOf(standby)]);
    const options = { readonly: false, timeoutMs: TIMEOUT_MS, signal };
    const a = await Pipe.open(primary, { ...options, noTouch: atLeast(here.release, 7, 2) });
    const b = await Pipe.open(standby, { ...options, noTouch: false, asking: cluster }).catch((error: unknown) => {
      a[Symbol.dispose]();
      throw error;
    });
    const upstream: Side = {
      pipe: paced(a, share, signal),
      role: 'primary',
      pexpiretime: atLeast(here.release, 7, 0),
    };
    return new Comparing(input, [a, b], {
      primary: upstream,
      replica: {
        pipe: paced(b, share, signal),
        role: 'replica',
        pexpiretime: atLeast(there.release, 7, 0),
        laterByMs: EXPIRY_MARGIN_MS,
      },
      // Those that were there before the standby was frozen carry no margin.
      fieldExpiry: false,
      reach: (timeoutMs) => reach(input, a, timeoutMs),
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const pipe of this.pipes) pipe[Symbol.dispose]();
    return Promise.resolve();
  }

  async passes(): Promise<never> {
    const { input } = this;
    const { comparison, restMs = 60_000 } = input;
    for (;;) {
      await this.#pass();
      for (const until = performance.now() + restMs; performance.now() < until;) {
        await this.#lookAgain();
        await this.#pause(Math.min(1000, restMs));
      }
      comparison.waits(undefined);
    }
  }

  /** Every key of the primary with the standby's, then those that only the standby has. */
  async #pass(): Promise<void> {
    const { comparison, primary, standby } = this.input;
    const { point } = comparison;
    const [here, there] = await Promise.all([factsOf(primary), factsOf(standby)]);
    const runIds: [string, string] = [here.runId, there.runId];
    if (!comparison.underWay || String(point.runIds) !== String(runIds))
      comparison.begin(
        runIds,
        [...here.databases.values()].reduce((sum, keys) => sum + keys, 0),
      );
    const databases = [...new Set([0, ...here.databases.keys(), ...there.databases.keys()])].sort((a, b) => a - b);
    for (const stage of ['primary', 'standby'] as const) {
      if (point.stage === 'standby' && stage === 'primary') continue;
      if (point.stage !== stage) Object.assign(point, { stage, db: 0, cursor: '0' });
      for (const db of databases) {
        if (db < point.db) continue;
        if (db !== point.db) Object.assign(point, { db, cursor: '0' });
        await this.#select(db);
        await this.#stage(stage, db);
      }
    }
    comparison.ended();
  }

  async #stage(stage: 'primary' | 'standby', db: number): Promise<void> {
    const { sides, input } = this;
    const { comparison, recordKey, keysPerSecond = 1000, ttlToleranceMs } = input;
    const side = stage === 'primary' ? sides.primary : sides.replica;
    let due = performance.now();
    for (let cursor = comparison.point.cursor; ;) {
      await this.#mayGoOn();
      await this.#lookAgain();
      await this.#select(db);
      const batch = await firstOf(scanKeys(side, cursor));
      const keys = batch.keys.filter((key) => !key.equals(recordKey));
      if (stage === 'primary') {
        const result = await compareBatch(sides, keys, ttlToleranceMs);
        comparison.compared(result.keys);
        for (const { key, type } of result.unread) comparison.leftOut(`values of type ${type}`, key);
        await this.#judge(db, result.candidates);
      } else await this.#judge(db, await findExtra(sides, keys));
      ({ cursor } = batch);
      comparison.point.cursor = cursor;
      if (cursor === '0') return;
      due = Math.max(due, performance.now() - 1000) + (keys.length / keysPerSecond) * 1000;
      await this.#pause(due - performance.now());
    }
  }

  /** Waits while the standby is behind, or what was found is more than is held at once. */
  async #mayGoOn(): Promise<void> {
    const { comparison, holds } = this.input;
    for (;;) {
      const why = comparison.full ? 'what differs is copied again first' : holds();
      comparison.waits(why);
      if (why === undefined) return;
      await this.#pause(200);
      if (comparison.full) await this.#lookAgain();
    }
  }

  /** What was found to differ, and has been copied again since. */
  async #lookAgain(): Promise<void> {
    const { comparison, dirty, holds } = this.input;
    const now = performance.now();
    const due = [...comparison.open.values()].filter(
      (it) => it.notBefore <= now && !dirty.has(it.db, it.key) && holds() === undefined,
    );
    for (const db of new Set(due.map((it) => it.db))) {
      await this.#select(db);
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
  async #judge(db: number, candidates: readonly Buffer[]): Promise<void> {
    const { comparison, dirty } = this.input;
    // Those that are to be copied again are looked at once they have been, or in the next pass.
    const suspects = candidates.filter(
      (key) => !dirty.has(db, key) && !comparison.open.has(DirtyKeys.nameOf(db, key)),
    );
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
      catchUpTimeoutMs: TIMEOUT_MS,
      signal,
    });
    const isFree = (key: Buffer): boolean =>
      !dirty.has(db, key) && !watch.added.has(DirtyKeys.nameOf(db, key)) && holds() === undefined;
    return {
      different: different.filter(({ key }) => isFree(key)),
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

  async #select(db: number): Promise<void> {
    if (db === this.#db) return;
    await Promise.all(this.pipes.map((pipe) => pipe.ask('SELECT', db)));
    this.#db = db;
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.input;
    if (ms > 0) await sleep(ms, undefined, { signal });
    signal.throwIfAborted();
  }
}

/** Everything that the primary has written so far is applied. */
async function reach({ reached, signal }: ComparingInput, primary: Pipe, timeoutMs: number): Promise<void> {
  const info = parseInfo(textOf(await primary.ask('INFO', 'replication')));
  const goal = Number(info['master_repl_offset']);
  if (info['role'] !== 'master')
    throw new RolloutError('NotCaughtUp', `${primary.address} is a primary no more, and can't be compared with`);
  for (const deadline = performance.now() + timeoutMs; !(reached() >= goal);) {
    if (performance.now() > deadline)
      throw new RolloutError('NotCaughtUp', `the standby did not reach offset ${goal} within ${timeoutMs} ms`);
    await sleep(5, undefined, { signal });
  }
}

async function firstOf(batches: AsyncGenerator<KeyBatch>): Promise<KeyBatch> {
  for await (const batch of batches) return batch;
  return { keys: [], cursor: '0' };
}
