import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import { atLeast } from '../../model/release.js';
import { parseInfo } from '../info.js';
import type { Endpoint } from '../connection.js';
import { textOf } from '../resp.js';
import { EXPIRY_MARGIN_MS } from '../standby/point.js';
import { compareBatch, findExtra } from '../verify/batch.js';
import { scanKeys, type KeyBatch } from '../verify/keys.js';
import { databasesOf, factsOf, keysOf } from '../verify/node-facts.js';
import { paced } from '../verify/paced.js';
import { Pipe } from '../verify/pipe.js';
import type { Side, Sides } from '../verify/side.js';
import { Verdicts, type VerdictsInput } from './verdicts.js';

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

export interface ComparingInput extends CompareOptions, VerdictsInput {
  primary: Endpoint;
  standby: Endpoint;
  cluster: boolean;
  recordKey: Buffer;
  /** The standby has the stream up to there. */
  reached: () => number;
}

const RETRY_MS = 5000;
const TIMEOUT_MS = 30_000;
/** Keys that may differ are judged together: most of them are written to all the time, and take a while each. */
const SUSPECTS = 500;
const SUSPECTED_MS = 10_000;

/**
 * Compares a standby with its primary, pass after pass, at a bounded rate, while the standby is followed to; ends with the
 * signal. It never fails: what keeps it from comparing is told instead, since following goes on all the same.
 */
export async function compareOn(input: ComparingInput): Promise<void> {
  const { signal, comparison } = input;
  for (;;) {
    try {
      using comparing = await Comparing.open(input);
      await comparing.passes();
    } catch (error) {
      if (signal.aborted) return;
      comparison.waits(error instanceof Error ? error.message : String(error));
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
  }
}

class Comparing implements Disposable {
  readonly #verdicts: Verdicts;
  #db = 0;

  private constructor(
    readonly input: ComparingInput,
    readonly pipes: readonly [Pipe, Pipe],
    readonly sides: Sides,
  ) {
    this.#verdicts = new Verdicts(input, sides, (db) => this.#select(db));
  }

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
      fieldExpiry: here.knowsFieldExpiry && there.knowsFieldExpiry,
      reach: (timeoutMs) => reach(input, a, timeoutMs),
    });
  }

  [Symbol.dispose](): void {
    for (const pipe of this.pipes) pipe[Symbol.dispose]();
  }

  async passes(): Promise<never> {
    const { input } = this;
    const { comparison, restMs = 60_000 } = input;
    for (;;) {
      await this.#pass();
      for (const until = performance.now() + restMs; performance.now() < until;) {
        await this.#verdicts.lookAgain();
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
    if (!comparison.underWay || String(point.runIds) !== String(runIds)) comparison.begin(runIds, keysOf(here));
    const databases = databasesOf(here, there);
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
    const suspects: Buffer[] = [];
    let compared = 0;
    let settledAt = performance.now();
    let due = performance.now();
    for (let cursor = comparison.point.cursor; ;) {
      await this.#mayGoOn();
      await this.#verdicts.lookAgain();
      await this.#select(db);
      const batch = await firstOf(scanKeys(side, cursor));
      const keys = batch.keys.filter((key) => !key.equals(recordKey));
      if (stage === 'primary') {
        const result = await compareBatch(sides, keys, ttlToleranceMs);
        suspects.push(...result.candidates.map((key) => Buffer.from(key)));
        for (const { key, type } of result.unread) comparison.leftOut(`values of type ${type}`, key);
        compared += result.keys;
      } else suspects.push(...(await findExtra(sides, keys)).map((key) => Buffer.from(key)));
      ({ cursor } = batch);
      const full = suspects.length >= SUSPECTS || performance.now() - settledAt >= SUSPECTED_MS;
      if (cursor === '0' || suspects.length === 0 || full) {
        await this.#verdicts.judge(db, suspects.splice(0));
        // Another attempt goes on behind what was judged.
        comparison.compared(compared);
        comparison.point.cursor = cursor;
        [compared, settledAt] = [0, performance.now()];
      }
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
      if (comparison.full) await this.#verdicts.lookAgain();
    }
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

async function firstOf(batches: AsyncGenerator<KeyBatch>): Promise<KeyBatch> {
  for await (const batch of batches) return batch;
  return { keys: [], cursor: '0' };
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
