import { setTimeout as sleep } from 'node:timers/promises';
import { at, connect, type Endpoint } from '../../redis/connection.js';
import { ioredisClient } from '../../redis/probe/ioredis-client.js';
import { RawClient, type ProbeClient } from '../../redis/probe/raw-client.js';
import { tagsFor } from '../../redis/probe/slot.js';
import { readTopology } from '../../redis/topology.js';
import { newKey, types, writeOf, type KeyType, type LedgerKey } from './ledger.js';

/** How long an answer is waited for, ms: longer than any election. */
const PATIENCE_MS = 45_000;
const WRITES_OF_A_KEY = 120;

export interface WriterOptions {
  endpoint: Endpoint;
  /** Addresses of all nodes. */
  nodes: readonly string[];
  /** Keys that are there before. */
  keys: number;
  /** Writes a second, all lanes together. */
  rate: number;
  /** Bytes of a value of the lists. */
  listValueBytes: number;
}

/**
 * Clients that write beside the product's probe, with a ledger of their own: for each client, type and shard one lane
 * that writes to one key after the other and waits for each answer. A write whose answer never comes ends its key.
 */
export class Writer {
  readonly ledger: LedgerKey[] = [];
  /** Writes that were refused or never answered. */
  unanswered = 0;
  #stopping = false;
  #lanes: Promise<void>[] = [];
  #clients: ProbeClient[] = [];

  private constructor(readonly options: WriterOptions) {}

  /** Fills the cluster, and starts to write. */
  static async start(options: WriterOptions): Promise<Writer> {
    const writer = new Writer(options);
    const { endpoint, nodes, rate } = options;
    const { shards } = await readTopology(endpoint, nodes);
    await writer.#fill(shards.map(({ slots, primary }) => ({ slots, address: primary.address })));
    const raw = new RawClient(nodes, endpoint);
    writer.#clients = [raw];
    const clients: [string, ProbeClient][] = [
      ['ioredis', await ioredisClient(nodes, endpoint)],
      ['raw', raw],
    ];
    writer.#clients = clients.map(([, client]) => client);
    const lanes = clients.flatMap(([name, client]) =>
      shards.flatMap(({ slots }) =>
        tagsFor(slots, types.length).map((tag, i) => ({ name, client, tag, type: types[i] ?? 'string' })),
      ),
    );
    const everyMs = (lanes.length / rate) * 1000;
    writer.#lanes = lanes.map((lane) => writer.#write(lane, everyMs));
    return writer;
  }

  /** Ends the lanes, each after its answer. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#lanes);
    for (const client of this.#clients) client.close();
  }

  async #write(
    { name, client, tag, type }: { name: string; client: ProbeClient; tag: string; type: KeyType },
    everyMs: number,
  ): Promise<void> {
    const size = type === 'list' ? this.options.listValueBytes : 24;
    for (let generation = 1; !this.#isStopping(); generation++) {
      const it = newKey(`chaos:${name}:${type}:{${tag}}:${generation}`, type, size);
      this.ledger.push(it);
      while (!this.#isStopping() && it.sent < WRITES_OF_A_KEY) {
        it.sent++;
        const sentAt = Date.now();
        if (!(await this.#answered(client, it))) {
          this.unanswered++;
          break;
        }
        Object.assign(it, { acknowledged: it.sent, lastSentAt: sentAt, lastAnsweredAt: Date.now() });
        await sleep(everyMs);
      }
    }
  }

  #isStopping(): boolean {
    return this.#stopping;
  }

  async #answered(client: ProbeClient, it: LedgerKey): Promise<boolean> {
    const given = new AbortController();
    const answer = client.send(writeOf(it, it.sent), it.slot, performance.now() + PATIENCE_MS);
    try {
      const reply = await Promise.race([
        answer,
        sleep(PATIENCE_MS, 'late' as const, { signal: given.signal }).then(() => new Error('no answer')),
      ]);
      return !(reply instanceof Error);
    } catch {
      return false;
    } finally {
      answer.catch(() => undefined);
      given.abort();
    }
  }

  /** Keys of every type, small and large, on each shard. */
  async #fill(shards: readonly { slots: [number, number][]; address: string }[]): Promise<void> {
    const { endpoint, keys } = this.options;
    const each = Math.ceil(keys / shards.length);
    await Promise.all(
      shards.map(async ({ slots, address }) => {
        await using connection = await connect(at(endpoint, address), { timeoutMs: 30_000 });
        const filled = tagsFor(slots, each).map((tag, i) => {
          const it = newKey(`chaos:before:{${tag}}`, types[i % types.length] ?? 'string', i % 5 === 0 ? 200 : 8);
          it.sent = it.type === 'string' || it.type === 'volatile' ? 1 : i % 3 === 0 ? 150 : 3;
          return it;
        });
        const sentAt = Date.now();
        const replies = await connection.pipeline(
          filled.flatMap((it) => Array.from({ length: it.sent }, (_, n) => writeOf(it, n + 1))),
        );
        const refused = replies.find((reply) => reply instanceof Error);
        if (refused) throw refused;
        for (const it of filled)
          Object.assign(it, { acknowledged: it.sent, lastSentAt: sentAt, lastAnsweredAt: Date.now() });
        this.ledger.push(...filled);
      }),
    );
  }
}
