import { build, type Histogram } from 'hdr-histogram-js';
import type { CommandClass, LatencySummary, LoadResult, LoadShape } from '../../model/load-shape.js';
import { RolloutError } from '../../model/failures.js';
import type { Endpoint } from '../connection.js';
import { failureKind } from '../probe/open-loop.js';
import { RawClient } from '../probe/raw-client.js';
import { Draws } from './draws.js';

/** What a load is told. */
export interface LoadInput {
  /** `host:port` of any nodes; the others are discovered. */
  seeds: string[];
  /** Credentials, TLS and renamed commands; host and port are taken from the nodes. */
  endpoint: Endpoint;
  shape: LoadShape;
  /** The same seed, the same commands at the same times. */
  seed: number;
  /** Before every key. */
  prefix: string;
  /** Played before anything is measured, ms. */
  warmUpMs: number;
  /** And measured for so long, ms. */
  forMs: number;
  /** Connections to each node that commands take turns on. */
  connections: number;
}

/** From the scheduled time, ms: an operation that has no answer by then has failed. */
const DEADLINE_MS = 10_000;
/** Operations under way; beyond, the next ones fail with `overload`: the servers take less than they are offered. */
const IN_FLIGHT = 8192;
/** Commands that fill or clear at the same time. */
const AT_ONCE = 512;

const newHistogram = (): Histogram =>
  build({ bitBucketSize: 32, autoResize: true, numberOfSignificantValueDigits: 3, highestTrackableValue: 2 ** 25 });

interface Kept {
  operations: number;
  failed: number;
  /** µs. */
  latency: Histogram;
}

/**
 * Traffic like a shape's on an open loop: commands are due when they are due, whatever became of those before, and their
 * latency counts from then. (A load that waits for an answer before it sends the next command measures a stall of a second
 * as one slow operation: coordinated omission.)
 */
export class OpenLoad {
  readonly #clients: RawClient[];
  readonly #draws: Draws;
  readonly #classes = new Map<CommandClass, Kept>();
  readonly #all = newHistogram();
  readonly #late = newHistogram();
  readonly #failures: Record<string, number> = {};
  #underWay = 0;
  #open = 0;
  #turn = 0;

  constructor(
    private readonly input: LoadInput,
    private readonly signal: AbortSignal,
  ) {
    const { seeds, endpoint, connections, shape, prefix, seed } = input;
    this.#clients = Array.from({ length: connections }, () => new RawClient(seeds, endpoint));
    this.#draws = new Draws(shape, prefix, seed);
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  /**
   * Has every key there, so that reads find something.
   *
   * @throws RolloutError TargetFull where a node is out of memory, else Unreachable
   */
  async fill(): Promise<void> {
    await this.#sendAll(this.#draws.fill());
  }

  async clear(): Promise<void> {
    await this.#sendAll(this.#draws.allKeys());
  }

  async #sendAll(commands: Iterable<{ words: readonly string[]; slot: number }>): Promise<void> {
    const underWay = new Set<Promise<void>>();
    let failed: unknown;
    for (const { words, slot } of commands) {
      this.signal.throwIfAborted();
      if (failed !== undefined) break;
      const sent: Promise<void> = this.#client()
        .send(words, slot, performance.now() + DEADLINE_MS)
        .then(
          () => undefined,
          (error: unknown) => void (failed = error),
        )
        .finally(() => underWay.delete(sent));
      underWay.add(sent);
      if (underWay.size >= AT_ONCE) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    if (failed === undefined) return;
    const { message } = failed as Error;
    const full = message.startsWith('OOM ');
    throw new RolloutError(full ? 'TargetFull' : 'Unreachable', `the load's keys could not be written: ${message}`);
  }

  #client(): RawClient {
    const client = this.#clients[this.#turn++ % this.#clients.length];
    if (client === undefined) throw new RolloutError('BadInput', 'connections: expected 1 or more, found 0');
    return client;
  }

  /** Plays it, and waits for what is under way: at the longest, for its deadline. */
  async run(): Promise<LoadResult> {
    const { warmUpMs, forMs } = this.input;
    const begun = performance.now();
    const [from, until] = [begun + warmUpMs, begun + warmUpMs + forMs];
    for (let due = begun; due < until;) {
      this.signal.throwIfAborted();
      const now = performance.now();
      for (; due <= now && due < until; due += this.#draws.gapMs()) this.#send(due, due >= from);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, Math.min(50, due - performance.now()))));
    }
    while (this.#open > 0) {
      this.signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return this.#result();
  }

  #send(due: number, measured: boolean): void {
    const drawn = this.#draws.next();
    if (measured) this.#late.recordValue(micros(performance.now() - due));
    if (this.#underWay >= IN_FLIGHT) {
      if (measured) this.#settle(drawn.class, due, 'overload');
      return;
    }
    this.#underWay++;
    this.#open++;
    let settled = false;
    const settle = (failure?: string): void => {
      if (settled) return;
      settled = true;
      this.#open--;
      const late = performance.now() - due > DEADLINE_MS;
      if (measured) this.#settle(drawn.class, due, late ? 'timeout' : failure);
    };
    // A server that hangs never answers; nobody waits for it longer than that.
    const expired = setTimeout(() => settle('timeout'), DEADLINE_MS);
    void this.#client()
      .send(drawn.words, drawn.slot, due + DEADLINE_MS)
      .then(
        () => settle(),
        (error: unknown) => settle(failureKind(error)),
      )
      .finally(() => {
        clearTimeout(expired);
        this.#underWay--;
      });
  }

  #settle(of: CommandClass, due: number, failure?: string): void {
    const kept = this.#classes.get(of) ?? { operations: 0, failed: 0, latency: newHistogram() };
    this.#classes.set(of, kept);
    kept.operations++;
    if (failure !== undefined) {
      kept.failed++;
      this.#failures[failure] = (this.#failures[failure] ?? 0) + 1;
      // An error that comes at once would flatter the percentiles; one that timed out took all that time.
      if (failure !== 'timeout') return;
    }
    const took = micros(performance.now() - due);
    kept.latency.recordValue(took);
    this.#all.recordValue(took);
  }

  #result(): LoadResult {
    const kept = [...this.#classes.entries()].sort(([a], [b]) => a.localeCompare(b));
    const operations = kept.reduce((sum, [, it]) => sum + it.operations, 0);
    const failed = kept.reduce((sum, [, it]) => sum + it.failed, 0);
    return {
      ...{ operations, failed, failures: { ...this.#failures } },
      ratePerSecond: Math.round(((operations - failed) / this.input.forMs) * 1000),
      latency: summary(this.#all),
      classes: Object.fromEntries(
        kept.map(([name, it]) => [
          name,
          { operations: it.operations, failed: it.failed, latency: summary(it.latency) },
        ]),
      ),
      late: { p99: ms(this.#late.getValueAtPercentile(99)), max: ms(this.#late.maxValue) },
      notes: this.#draws.notes,
    };
  }
}

const micros = (msTaken: number): number => Math.max(1, Math.round(msTaken * 1000));
const ms = (micros: number): number => Math.round(micros) / 1000;

function summary(of: Histogram): LatencySummary {
  const at = (p: number): number => ms(of.getValueAtPercentile(p));
  const any = of.totalCount > 0;
  return { mean: any ? ms(of.mean) : 0, p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: ms(of.maxValue) };
}
