import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { expect } from 'vitest';
import { until, type Sandbox, type SandboxNode } from '../../../scripts/sandbox/cluster.js';

/** What a client may be told when its primary changes: it has to ask again, and nothing of it was done in secret. */
const told =
  /^(UNBLOCKED|MOVED|READONLY|EXECABORT|CLUSTERDOWN|LOADING|NOSCRIPT|MASTERDOWN)|Connection is closed|ECONNRE|Too many Cluster/;

const script = `return redis.call('INCR', KEYS[1])`;
const connectionLost = /Connection is closed|ECONNRE/;

/** Clients that are in the middle of something all the time: blocked, in a transaction, subscribed, or calling a script. */
export class OddClients implements AsyncDisposable {
  /** Acknowledged, and taken out again. */
  readonly pushed: string[] = [];
  readonly popped: string[] = [];
  readonly added: string[] = [];
  readonly read: string[] = [];
  readonly transactions = { done: 0, unknown: 0 };
  readonly watched = { done: 0, conflicts: 0, unknown: 0 };
  readonly calls = { scripts: 0, reloaded: 0, functions: 0 };
  readonly messages = new Set<string>();
  reconnects = 0;
  /** Every refusal that any of them met. */
  readonly refusals = new Map<string, number>();
  #going = true;
  readonly #clients: (Cluster | Redis)[] = [];
  readonly #loops: Promise<void>[] = [];
  readonly #blocked: Promise<void>[] = [];
  readonly #publisher: Cluster;

  constructor(readonly cluster: Sandbox) {
    this.#publisher = this.#client();
    this.#loops = [this.#push(), this.#add(), this.#transact(), this.#watch(), this.#watch(), this.#call()];
    this.#blocked = [this.#pop(), this.#follow()];
  }

  /** Subscribed at one node; returns once it is. */
  async subscribe({ port }: SandboxNode): Promise<void> {
    const subscriber = new Redis({ port, retryStrategy: () => 50, maxRetriesPerRequest: null });
    this.#clients.push(subscriber);
    subscriber.on('error', () => undefined);
    subscriber.on('close', () => (this.reconnects += 1));
    subscriber.on('message', (_, message: string) => this.messages.add(message));
    await subscriber.subscribe('news');
  }

  /** A message reaches the subscriber: sent again until it does, since nobody keeps what nobody hears. */
  async expectHeard(message: string): Promise<void> {
    await until(`${message} is heard`, async () => {
      await this.#publisher.publish('news', message);
      return this.messages.has(message);
    });
  }

  /** No client waits for anything that was done before. */
  async end(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#loops);
    const client = this.#client();
    await client.rpush('{client}queue', 'last');
    await client.xadd('{client}log', '*', 'n', 'last');
    await Promise.all(this.#blocked);
    for (const it of this.#clients) it.disconnect();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#going = false;
    for (const it of this.#clients) it.disconnect();
    return Promise.resolve();
  }

  #client(): Cluster {
    const startup = this.cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
    const client = new Cluster(startup, { maxRedirections: 64, retryDelayOnFailover: 250 });
    client.on('error', () => undefined);
    this.#clients.push(client);
    return client;
  }

  /** Does it once; a refusal is counted and, unless it is one that a client must expect, is a failure of the test. */
  async #once(act: () => Promise<void>): Promise<string | undefined> {
    try {
      await act();
      return undefined;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (!this.#going && /Connection is closed/.test(message)) return message;
      const kind = told.exec(message)?.[0] ?? message;
      this.refusals.set(kind, (this.refusals.get(kind) ?? 0) + 1);
      return message;
    }
  }

  async #push(): Promise<void> {
    const client = this.#client();
    for (let n = 0; this.#going; n++) {
      await this.#once(async () => {
        await client.rpush('{client}queue', `${n}`);
        this.pushed.push(`${n}`);
      });
      await sleep(5);
    }
  }

  async #pop(): Promise<void> {
    const client = this.#client();
    for (let last = ''; last !== 'last';)
      await this.#once(async () => {
        last = (await client.blpop('{client}queue', 0))?.[1] ?? '';
        if (last !== 'last') this.popped.push(last);
      });
  }

  async #add(): Promise<void> {
    const client = this.#client();
    for (let n = 0; this.#going; n++) {
      await this.#once(async () => {
        await client.xadd('{client}log', '*', 'n', `${n}`);
        this.added.push(`${n}`);
      });
      await sleep(5);
    }
  }

  async #follow(): Promise<void> {
    const client = this.#client();
    for (let [from, last] = ['0-0', '']; last !== 'last';)
      await this.#once(async () => {
        const [[, entries] = ['', []]] = (await client.xread('BLOCK', 0, 'STREAMS', '{client}log', from)) ?? [];
        for (const [id, [, value = '']] of entries) {
          [from, last] = [id, value];
          if (value !== 'last') this.read.push(value);
        }
      });
  }

  async #transact(): Promise<void> {
    const client = this.#client();
    while (this.#going) {
      const refusal = await this.#once(async () => {
        const replies = await client.multi().incr('{client}a').incr('{client}b').exec();
        if (!replies) throw new Error('a transaction that watches nothing was given up');
        for (const [error] of replies) if (error) throw error;
        this.transactions.done += 1;
      });
      if (refusal !== undefined && connectionLost.test(refusal)) this.transactions.unknown += 1;
      await sleep(5);
    }
  }

  /** Reads, and writes one more only if nobody else did meanwhile: over a connection of its own to whoever is primary. */
  async #watch(): Promise<void> {
    for (let at = 0; this.#going; at++) {
      const { port } = this.cluster.nodes[at % this.cluster.nodes.length] ?? { port: 0 };
      const redis = new Redis({ port, retryStrategy: () => null, autoResendUnfulfilledCommands: false });
      redis.on('error', () => undefined);
      const exec: { sent: boolean } = { sent: false };
      const refusal = await this.#once(async () => {
        while (this.#going) {
          await redis.watch('{client}counter');
          const now = Number(await redis.get('{client}counter'));
          await redis.multi({ pipeline: false });
          await redis.set('{client}counter', now + 1);
          exec.sent = true;
          const done = await redis.exec();
          exec.sent = false;
          this.watched[done ? 'done' : 'conflicts'] += 1;
          await sleep(5);
        }
      });
      if (exec.sent && refusal !== undefined && connectionLost.test(refusal)) this.watched.unknown += 1;
      redis.disconnect();
      await sleep(50);
    }
  }

  /** A script by its digest, loaded again when the new primary doesn't know it; and a function, which every node knows. */
  async #call(): Promise<void> {
    const client = this.#client();
    let digest = '';
    for (let n = 0; this.#going; n++) {
      const refusal = await this.#once(async () => {
        if (digest === '') await client.eval(script, 1, '{client}calls');
        else await client.evalsha(digest, 1, '{client}calls');
        digest = createHash('sha1').update(script).digest('hex');
        this.calls.scripts += 1;
      });
      if (refusal?.startsWith('NOSCRIPT')) {
        digest = '';
        this.calls.reloaded += 1;
      }
      await this.#once(async () => {
        expect(await client.call('FCALL', 'price', '1', '{client}book', `${n}`)).toEqual(['{client}book', `${n}`]);
        this.calls.functions += 1;
      });
      await sleep(5);
    }
  }
}

/** What every client was promised, whatever it was in the middle of. */
export async function expectPromisesKept(clients: OddClients): Promise<void> {
  const unknown = [...clients.refusals.keys()].filter((it) => !told.test(it));
  expect(unknown).toEqual([]);
  // Each element once, in spite of every change of who is asked for it.
  expect(clients.pushed.filter((it) => !clients.popped.includes(it))).toEqual([]);
  expect(new Set(clients.popped).size).toBe(clients.popped.length);
  expect(clients.added.filter((it) => !clients.read.includes(it))).toEqual([]);
  expect(new Set(clients.read).size).toBe(clients.read.length);

  const { cluster, transactions, watched, calls } = clients;
  const reader = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
  const [a, b, counter] = (await reader.mget('{client}a', '{client}b', '{client}counter')).map(Number);
  reader.disconnect();
  // Whole or not at all, and not in secret.
  expect(a).toBe(b);
  expect(a).toBeGreaterThanOrEqual(transactions.done);
  expect(a).toBeLessThanOrEqual(transactions.done + transactions.unknown);
  expect(counter).toBeGreaterThanOrEqual(watched.done);
  expect(counter).toBeLessThanOrEqual(watched.done + watched.unknown);
  for (const count of [clients.pushed.length, clients.added.length, transactions.done, watched.done, calls.scripts])
    expect(count).toBeGreaterThan(0);
  expect(calls.functions).toBeGreaterThan(0);
}
