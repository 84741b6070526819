import { entryOf, generationOf, isAsWritten, readCommand, writeCommand, type ClientName, type Entry } from './entry.js';
import type { RunShard } from './entry.js';
import type { Ledger } from './ledger.js';
import type { Operation } from './open-loop.js';
import { keySlot } from './slot.js';
import type { Reply } from './resp.js';

interface Acknowledged {
  entry: Entry;
  reply: Reply;
  at: number;
}

/** Acknowledged writes that the readers choose from. */
const REMEMBERED = 4096;
/** A write is read when it is at least so old, ms: a read that follows at once tells little. */
const AGE_MS = 1000;

/** What one shard's clients write and read. Both readers read what both writers wrote. */
export class Workload {
  readonly #remembered: Acknowledged[] = [];
  #oldest = 0;
  #reads = 0;
  readonly #seq: Record<ClientName, number> = { ioredis: 0, raw: 0 };
  readonly #counters = new Map<string, number>();

  constructor(
    readonly shard: RunShard,
    private readonly ledger: Ledger,
    private readonly now: () => number,
  ) {}

  /** The generation that a client writes into now. */
  generation(client: ClientName): number {
    return generationOf(Math.max(0, this.#seq[client] - 1));
  }

  write(client: ClientName): Operation {
    const seq = this.#seq[client]++;
    if (seq === 0 || generationOf(seq) !== generationOf(seq - 1))
      this.ledger.open(this.shard.shard, client, generationOf(seq));
    const entry = entryOf(this.shard, client, seq);
    return {
      words: writeCommand(entry),
      slot: entry.slot,
      answered: (reply) => {
        const at = this.now();
        const value = entry.type === 'counter' ? Number(reply) : 0;
        this.ledger.append(this.shard.shard, client, { seq, value, at });
        this.#remember({ entry, reply, at });
        if (entry.type !== 'counter') return undefined;
        // An answer that is not above the one before means that increments which were acknowledged are gone.
        const before = this.#counters.get(entry.key) ?? 0;
        this.#counters.delete(entry.key);
        this.#counters.set(entry.key, value);
        const [stalest] = this.#counters.keys();
        if (this.#counters.size > 8 && stalest !== undefined) this.#counters.delete(stalest);
        return value > before ? undefined : 'wrong value';
      },
    };
  }

  read(): Operation {
    const chosen = this.#choose();
    if (chosen === undefined) {
      const key = `${this.shard.prefix}:{${this.shard.tags[0] ?? ''}}:${this.shard.run}:nothing`;
      const answered = (reply: Reply): string | undefined => (reply === null ? undefined : 'wrong value');
      return { words: ['GET', key], slot: keySlot(key), answered };
    }
    const { entry, reply } = chosen;
    return {
      words: readCommand(entry, reply),
      slot: entry.slot,
      answered: (found) => (isAsWritten(entry, reply, found) ? undefined : 'wrong value'),
    };
  }

  #remember(acknowledged: Acknowledged): void {
    if (this.#remembered.length < REMEMBERED) this.#remembered.push(acknowledged);
    else {
      this.#remembered[this.#oldest] = acknowledged;
      this.#oldest = (this.#oldest + 1) % REMEMBERED;
    }
  }

  /** Strides through the remembered ones; the few that are too young are passed over towards older ones. */
  #choose(): Acknowledged | undefined {
    const { length } = this.#remembered;
    const before = this.now() - AGE_MS;
    if (length === 0) return undefined;
    const age = (this.#reads++ * 7919) % length;
    for (let back = age; back >= 0; back = back > 0 ? Math.floor(back / 2) : -1) {
      const candidate = this.#remembered[(this.#oldest + back) % length];
      if (candidate !== undefined && candidate.at <= before) return candidate;
    }
    return undefined;
  }
}
