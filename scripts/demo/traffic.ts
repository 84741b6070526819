import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { Customer } from './customer.js';

/** What the demo's application did, and what of it was not there at the end. */
export interface TrafficResult {
  operations: number;
  failed: number;
  /** Commands that the release of before doesn't know. */
  newer: number;
  /** Data that isn't what was acknowledged, and each failure. */
  wrong: string[];
}

const CUSTOMERS = 40;
/** Between two rounds of a customer, ms. */
const EVERY_MS = 100;

/**
 * An application beside the demo's probe: customers who write and check every answer, and whose data is added up at the
 * end. From `useNewer(true)` on they also use what 5.0 doesn't know, as applications do once their servers are upgraded.
 */
export class Traffic {
  readonly #client: Cluster;
  readonly #customers: Customer[];
  readonly #wrong: string[] = [];
  #operations = 0;
  #failed = 0;
  #newer = false;
  /** Customers who are among newer commands now. */
  #usingNewer = 0;
  #held = false;
  /** Customers who are in the middle of a round. */
  #inRound = 0;
  #ending = false;
  #stopped = false;
  #running: Promise<boolean>[] = [];

  /** @param options.reads each customer reads in each round, too */
  constructor(
    ports: readonly number[],
    private readonly options: { reads?: boolean } = {},
  ) {
    this.#client = new Cluster(
      ports.map((port) => ({ host: '127.0.0.1', port })),
      // RESP2, which servers before 6.0 need; and patience for as long as a failover may take.
      { redisOptions: { protocol: 2 }, maxRedirections: 64, retryDelayOnFailover: 250 },
    );
    this.#client.on('error', () => undefined);
    const send: Customer['send'] = async (name, ...args) => {
      this.#operations++;
      return this.#client.call(name, ...args);
    };
    this.#customers = Array.from({ length: CUSTOMERS }, (_, n) => new Customer(n, send));
  }

  /** Commands so far that 5.0 doesn't know. */
  get newer(): number {
    return this.#customers.reduce((sum, { newer }) => sum + newer, 0);
  }

  start(): void {
    this.#running = this.#customers.map((customer) => this.#live(customer));
  }

  /** From now on, or no longer, commands of newer releases as well. Resolves once none of before is under way. */
  async useNewer(use: boolean): Promise<void> {
    this.#newer = use;
    while (!use && this.#usingNewer > 0) await sleep(EVERY_MS / 10);
  }

  /** No customer begins another round. Resolves once none is in the middle of one. */
  async hold(): Promise<void> {
    this.#held = true;
    while (this.#inRound > 0) await sleep(EVERY_MS / 10);
  }

  /** They go on. */
  release(): void {
    this.#held = false;
  }

  /** Ends it, and adds up what every customer has. */
  async finish(): Promise<TrafficResult> {
    this.#ending = true;
    const whole = await Promise.all(this.#running);
    const operations = this.#operations;
    await Customer.expired();
    for (const [n, customer] of this.#customers.entries())
      if (whole[n]) this.#wrong.push(...(await customer.differences()));
    this.stop();
    return { operations, failed: this.#failed, newer: this.newer, wrong: this.#wrong };
  }

  /** Whatever it is doing. */
  stop(): void {
    this.#ending = this.#stopped = true;
    this.#client.disconnect();
  }

  /** @returns false where it had to end before: what its data would have to be is not known */
  async #live(customer: Customer): Promise<boolean> {
    while (!this.#ending) {
      if (this.#held) {
        await sleep(EVERY_MS / 10);
        continue;
      }
      this.#inRound++;
      try {
        await customer.round();
        if (this.#newer) await this.#anew(customer);
        else await customer.moveJob();
        if (this.options.reads) await customer.readBack();
      } catch (error) {
        if (this.#stopped) return false;
        this.#failed++;
        this.#wrong.push(`${customer.tag}: ${error instanceof Error ? error.message : String(error)}`);
        return false;
      } finally {
        this.#inRound--;
      }
      await sleep(EVERY_MS);
    }
    return true;
  }

  async #anew(customer: Customer): Promise<void> {
    this.#usingNewer++;
    try {
      await customer.moveJobAnew();
    } finally {
      this.#usingNewer--;
    }
  }
}
