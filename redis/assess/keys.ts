import { setTimeout as sleep } from 'node:timers/promises';
import { patternOf } from '../../model/assessment/pattern.js';
import type { NotableKey, ShardKeys } from '../../model/assessment/survey.js';
import type { Sight } from './sight.js';

/** Of the time, how much of it the server is asked for. */
const SHARE = 0.1;
/** Keys a SCAN, each asked for its type, expiry, encoding and size. */
const BATCH = 100;
/** Longest that one shard is looked at, ms. */
const LONGEST_MS = 5 * 60_000;
const MOST_NOTABLE = 20;
const MOST_PATTERNS = 200;
/** Sizes of keys are counted in steps, bytes; what is larger is of the last. */
const STEPS = [100, 1000, 10_000, 100_000, 1_000_000, 10_000_000];
const LARGEST = 64 * 1024 ** 2;

export interface KeySample {
  shard: string;
  /** Keys to look at, at the most. */
  most: number;
  /** Is the policy an LFU one? Only then the server knows how often a key is used. */
  frequencies: boolean;
  signal: AbortSignal;
  onProgress?: (looked: number) => void;
}

type Counted = { keys: number; bytes: number };

/**
 * Looks at some of a node's keys, as SCAN comes by them, which goes by their hashes and so takes them as by lot. The server
 * is asked for at most a tenth of the time: one that has much to do answers later, and is asked less.
 */
export async function sampleKeys(sight: Sight, sample: KeySample): Promise<ShardKeys | undefined> {
  const { connection } = sight;
  const { shard, most, frequencies, signal } = sample;
  const count = await sight.ask('DBSIZE', 'keys', async () => Number(await connection.call('DBSIZE')));
  if (count === undefined) return undefined;
  const tally = new Tally();
  const begun = performance.now();
  let cursor = '0';
  do {
    signal.throwIfAborted();
    const asked = performance.now();
    const page = await sight.ask(
      'SCAN',
      'keys: types, sizes, patterns',
      async () => (await connection.callBuffer('SCAN', cursor, 'COUNT', BATCH)) as [Buffer, Buffer[]],
    );
    if (page === undefined) return undefined;
    cursor = page[0].toString();
    const keys = page[1].slice(0, most - tally.looked);
    await addAll(sight, keys, frequencies, tally);
    sample.onProgress?.(tally.looked);
    const took = performance.now() - asked;
    if (cursor !== '0') await sleep(took / SHARE - took, undefined, { signal });
  } while (cursor !== '0' && tally.looked < most && performance.now() - begun < LONGEST_MS);
  await measure(sight, tally.big);
  return { shard, node: connection.address, keys: count, ...tally.result() };
}

async function addAll(sight: Sight, keys: readonly Buffer[], frequencies: boolean, tally: Tally): Promise<void> {
  const replies = await sight.connection.pipeline(
    keys.flatMap((key) => [
      ['TYPE', key],
      ['PTTL', key],
      ['OBJECT', 'ENCODING', key],
      ['MEMORY', 'USAGE', key, 'SAMPLES', 5],
      ...(frequencies ? [['OBJECT', 'FREQ', key]] : []),
    ]),
  );
  const each = frequencies ? 5 : 4;
  for (const [i, key] of keys.entries()) {
    const [type, ttl, encoding, bytes, frequency] = replies.slice(i * each, (i + 1) * each);
    if (bytes instanceof Error && /NOPERM|unknown/i.test(bytes.message) && tally.looked === 0)
      sight.blind('MEMORY USAGE', 'the user may not (NOPERM)', 'sizes of keys');
    // It was there for SCAN, and has expired or was deleted since.
    if (typeof type !== 'string' || type === 'none') continue;
    tally.add({
      key: key.toString(),
      type,
      bytes: typeof bytes === 'number' ? bytes : 0,
      expires: typeof ttl === 'number' && ttl >= 0,
      encoding: typeof encoding === 'string' ? encoding : 'unknown',
      ...(typeof frequency === 'number' ? { frequency } : {}),
    });
  }
}

const LENGTH_OF: Readonly<Record<string, string>> = {
  ...{ string: 'STRLEN', list: 'LLEN', set: 'SCARD', zset: 'ZCARD', hash: 'HLEN', stream: 'XLEN' },
};

async function measure({ connection }: Sight, keys: readonly NotableKey[]): Promise<void> {
  const known = keys.filter(({ type }) => type in LENGTH_OF);
  const replies = await connection.pipeline(known.map(({ key, type }) => [LENGTH_OF[type] ?? '', key]));
  for (const [i, it] of known.entries()) if (typeof replies[i] === 'number') it.length = replies[i];
}

/** What was found so far, in a memory that does not grow with the keys. */
class Tally {
  looked = 0;
  readonly big: NotableKey[] = [];
  readonly #hot: NotableKey[] = [];
  readonly #types = new Map<string, Counted>();
  readonly #patterns = new Map<string, Counted>();
  readonly #encodings: Record<string, number> = {};
  readonly #sizes: Record<string, number> = {};
  #bytes = 0;
  #expiring = 0;

  add(found: {
    key: string;
    type: string;
    bytes: number;
    expires: boolean;
    encoding: string;
    frequency?: number;
  }): void {
    const { key, type, bytes, expires, encoding, frequency } = found;
    this.looked++;
    this.#bytes += bytes;
    if (expires) this.#expiring++;
    count(this.#types, type, bytes);
    this.#encodings[encoding] = (this.#encodings[encoding] ?? 0) + 1;
    const upTo = STEPS.find((step) => bytes <= step) ?? LARGEST;
    this.#sizes[upTo] = (this.#sizes[upTo] ?? 0) + 1;
    const pattern = patternOf(key);
    count(
      this.#patterns,
      this.#patterns.has(pattern) || this.#patterns.size < MOST_PATTERNS ? pattern : '(others)',
      bytes,
    );
    keep(this.big, { key, type, bytes }, (it) => it.bytes);
    if (frequency !== undefined) keep(this.#hot, { key, type, bytes, frequency }, (it) => it.frequency ?? 0);
  }

  result(): Omit<ShardKeys, 'shard' | 'node' | 'keys'> {
    return {
      looked: this.looked,
      bytes: this.#bytes,
      expiring: this.#expiring,
      types: Object.fromEntries(this.#types),
      encodings: this.#encodings,
      sizes: this.#sizes,
      patterns: Object.fromEntries(this.#patterns),
      big: this.big,
      hot: this.#hot,
    };
  }
}

function count(into: Map<string, Counted>, name: string, bytes: number): void {
  const known = into.get(name) ?? { keys: 0, bytes: 0 };
  into.set(name, { keys: known.keys + 1, bytes: known.bytes + bytes });
}

/** The largest ones, by `size`. */
function keep(list: NotableKey[], it: NotableKey, size: (it: NotableKey) => number): void {
  list.push(it);
  list.sort((a, b) => size(b) - size(a));
  list.splice(MOST_NOTABLE);
}
