import { atLeast } from '../../model/release.js';
import type { Endpoint } from '../connection.js';
import { parseInfo, releaseFromInfo } from '../info.js';
import { textOf } from '../resp.js';
import { Pipe } from './pipe.js';
import { timeOf, type Side } from './side.js';
import { compareBatch, questions, type Asked, type Found, type Wanted, type Words } from './snapshot-batch.js';

const BATCH = 500;
const BATCH_BYTES = 512 * 1024;
const UNDER_WAY = 3;
const SILENCE_MS = 60_000;

/** One database of a node that is compared with a snapshot: its keys are asked for in batches, several under way. */
export class ComparedNode implements Disposable {
  #batch: Wanted[] = [];
  #bytes = 0;
  readonly #underWay: Promise<void>[] = [];

  private constructor(private readonly asked: Asked) {}

  /**
   * @param options.expiryToleranceMs by how much an expiry may be off, ms (default 0)
   * @throws RolloutError Unreachable, Unauthorized, NodeHung
   */
  static async open(
    endpoint: Endpoint,
    {
      database = 0,
      expiryToleranceMs = 0,
      signal,
    }: { database?: number; expiryToleranceMs?: number; signal?: AbortSignal | undefined } = {},
  ): Promise<ComparedNode> {
    // What all releases before 7.2 refuse is a courtesy.
    const options = { readonly: false, noTouch: true, timeoutMs: SILENCE_MS, ...(signal ? { signal } : {}) };
    const pipe = await Pipe.open(endpoint, options);
    try {
      if (database > 0) await pipe.ask('SELECT', database);
      const release = releaseFromInfo(parseInfo(textOf(await pipe.ask('INFO', 'server'))));
      const exact = atLeast(release, 7, 0);
      const side: Side = { pipe, role: 'primary', pexpiretime: exact };
      const time = timeOf(side, await pipe.ask('TIME'));
      const name = (question: string): Buffer => Buffer.from(endpoint.commands?.[question] ?? question);
      const words = Object.fromEntries(questions.map((it) => [it, name(it)])) as unknown as Words;
      return new ComparedNode({ pipe, side, exact, aheadMs: time - Date.now(), expiryToleranceMs, words });
    } catch (error) {
      pipe[Symbol.dispose]();
      throw error;
    }
  }

  get address(): string {
    return this.asked.pipe.address;
  }

  /** Of its database. */
  async keys(): Promise<number> {
    return Number(await this.asked.pipe.ask('DBSIZE'));
  }

  /** Of all its databases: keys that expire, what has expired and is not gone yet among them. */
  async expiring(): Promise<number> {
    const info = parseInfo(textOf(await this.asked.pipe.ask('INFO', 'keyspace')));
    return Object.values(info).reduce((sum, it) => sum + Number(/\bexpires=(\d+)/.exec(it)?.[1] ?? 0), 0);
  }

  /** @param bytes held by it until it was compared */
  add(wanted: Wanted, bytes: number, found: Found): void {
    this.#batch.push(wanted);
    this.#bytes += bytes;
    // A large value is read in parts, once it was asked for.
    if (this.#batch.length >= BATCH || this.#bytes >= BATCH_BYTES) this.flush(found);
  }

  flush(found: Found): void {
    const batch = this.#batch;
    if (batch.length === 0) return;
    [this.#batch, this.#bytes] = [[], 0];
    const sent = compareBatch(this.asked, batch, found);
    // Waited for later, in its turn.
    sent.catch(() => undefined);
    this.#underWay.push(sent);
  }

  /** Until no more than a few batches are under way, or none. */
  async settled(left = UNDER_WAY): Promise<void> {
    while (this.#underWay.length > left) await this.#underWay.shift();
  }

  [Symbol.dispose](): void {
    this.asked.pipe[Symbol.dispose]();
  }
}
