import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from 'ioredis';

/** Between two orders, ms. */
const EVERY_MS = 4;

interface Order {
  number: number;
  /** When it was sent and acknowledged, by the monotonic clock, ms. */
  sentAt: number;
  acknowledgedAt: number;
}

/** Takes orders without a pause, each under a key of its own, and keeps a list of what was acknowledged. */
export class OrderBook {
  readonly #client: Cluster;
  readonly #orders: Order[] = [];
  #next = 0;
  #ending = false;
  #taking: Promise<void> | undefined;
  refused = 0;

  constructor(ports: readonly number[]) {
    this.#client = new Cluster(
      ports.map((port) => ({ host: '127.0.0.1', port })),
      { redisOptions: { protocol: 2 } },
    );
    this.#client.on('error', () => undefined);
  }

  get acknowledged(): number {
    return this.#orders.length;
  }

  start(): void {
    this.#taking = this.#take();
  }

  /** Resolves once none is under way. */
  async end(): Promise<void> {
    this.#ending = true;
    await this.#taking;
  }

  close(): void {
    this.#ending = true;
    this.#client.disconnect();
  }

  /**
   * Those that were acknowledged and aren't there: all but the ones that were under way while everything was deleted, of which
   * nobody can say on which side they were.
   */
  async missing(deleting: { from: number; to: number }): Promise<string[]> {
    const due = this.#orders.filter(
      ({ sentAt, acknowledgedAt }) => acknowledgedAt < deleting.from || sentAt > deleting.to,
    );
    const found = await Promise.all(due.map(({ number }) => this.#client.get(keyOf(number))));
    return due.flatMap(({ number }, i) => (found[i] === String(number) ? [] : [keyOf(number)]));
  }

  async #take(): Promise<void> {
    const underWay = new Set<Promise<void>>();
    while (!this.#ending) {
      const number = this.#next++;
      const sent = this.#order(number).finally(() => underWay.delete(sent));
      underWay.add(sent);
      await sleep(EVERY_MS);
    }
    await Promise.all(underWay);
  }

  async #order(number: number): Promise<void> {
    const sentAt = performance.now();
    try {
      await this.#client.set(keyOf(number), String(number));
      this.#orders.push({ number, sentAt, acknowledgedAt: performance.now() });
    } catch {
      this.refused++;
    }
  }
}

/** What lies in the archive is not to have this anywhere. */
export const ORDER_PREFIX = 'order-book:';
const keyOf = (number: number): string => `${ORDER_PREFIX}${number}`;
