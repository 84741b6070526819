import type { GivenUp, LedgerResult } from '../../model/evidence.js';
import { entryOf, TTL_SECONDS, typeOf, type Entry, type EntryType } from './entry.js';
import { readLedgerFile, type LedgerFile, type LedgerRecord } from './ledger.js';
import type { ProbeClient } from './raw-client.js';
import type { Reply } from './resp.js';

export interface Lost {
  key: string;
  type: EntryType;
  expected: string;
  found: string;
  /** When it was acknowledged, Unix ms; of a counter, its last increment that was. */
  at: number;
}

export interface GenerationResult {
  acknowledged: Partial<Record<EntryType, number>>;
  lost: Lost[];
  /** Of counters more writes may be lost than there are examples to name. */
  lostCount: number;
  /** Of those that are not there, how many a restore has given up. */
  givenUp?: number;
}

export interface CheckOptions {
  /** Largest difference of an expiry time that is still right, ms. */
  ttlToleranceMs: number;
  /** On the client's clock, ms: how long one read may take. */
  patienceMs: number;
  now: () => number;
}

interface Pair {
  record: LedgerRecord;
  entry: Entry;
}

/**
 * Reads every acknowledged write of one generation back from the current primary. A structure is read whole, once: it
 * has at most 250 entries, a few more where a write was sent twice over a broken connection.
 *
 * @throws the client's error when the deployment can't be asked: that is not a loss
 */
export async function checkGeneration(
  client: ProbeClient,
  file: LedgerFile,
  options: CheckOptions,
): Promise<GenerationResult> {
  const pairs = readLedgerFile(file).map((record) => ({ record, entry: entryOf(file, file.client, record.seq) }));
  const of = (type: EntryType): Pair[] => pairs.filter(({ record }) => typeOf(record.seq) === type);
  const ask = ([command, key, ...rest]: readonly [string, string, ...string[]], { slot }: Entry): Promise<Reply> =>
    client.send([command, key, ...rest], slot, options.now() + options.patienceMs).catch((error: unknown) => {
      // Somebody wrote something else under the key: an answer like any other wrong one.
      if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return error.message;
      throw error;
    });

  const strings = [...of('string'), ...of('string-ttl')].map(async (pair) => {
    const { entry } = pair;
    const [value, ttl] = await Promise.all([ask(['GET', entry.key], entry), ask(['PTTL', entry.key], entry)]);
    return checkString(pair, value, Number(ttl), options.ttlToleranceMs);
  });
  const structures = (['hash', 'list', 'set', 'zset', 'stream'] as const).map(async (type) => {
    const entries = of(type);
    const [first] = entries;
    if (first === undefined) return [];
    const present = members(type, await ask(whole(type, first.entry.key), first.entry));
    return entries.flatMap((pair) => missing(pair, present));
  });
  const counter = of('counter');
  const [any] = counter;
  // All at once: were one awaited after the other, the rejections of those not yet looked at would end the process.
  const [final, ...found] = await Promise.all([
    any === undefined ? null : ask(['GET', any.entry.key], any.entry),
    ...strings,
    ...structures,
  ]);
  const counted = checkCounter(counter, Number(final) || 0);
  const lost = found.flat();
  const acknowledged: Partial<Record<EntryType, number>> = {};
  for (const { entry } of pairs) acknowledged[entry.type] = (acknowledged[entry.type] ?? 0) + 1;
  return {
    acknowledged,
    lost: [...lost, ...(counted.example === undefined ? [] : [counted.example])],
    lostCount: lost.length + counted.lost,
  };
}

function checkString({ record, entry }: Pair, value: Reply, ttl: number, tolerance: number): Lost[] {
  const expiresIn = record.at + TTL_SECONDS * 1000 - Date.now();
  const expires = entry.type === 'string-ttl';
  // Its time may be over when a deployment was left paused for long: then it must be gone.
  if (expires && expiresIn <= tolerance && value === null) return [];
  if (value !== entry.value) return [lostOf({ record, entry }, show(value))];
  if (!expires) return ttl === -1 ? [] : [lostOf({ record, entry }, `${entry.value}, but it expires in ${ttl} ms`)];
  if (ttl > 0 && Math.abs(ttl - expiresIn) <= tolerance) return [];
  const found = ttl === -1 ? 'but it never expires' : `but it expires in ${ttl} ms instead of ${expiresIn} ms`;
  return [lostOf({ record, entry }, `${entry.value}, ${found}`)];
}

/** What the entry must have left in its structure, as `members` names it. */
const trace = ({ type, value, score }: Entry): string =>
  type === 'hash' ? `${value}=${value}` : type === 'zset' ? `${value}=${score}` : value;

const missing = (pair: Pair, present: ReadonlySet<string>): Lost[] =>
  present.has(trace(pair.entry)) ? [] : [lostOf(pair, present.size === 0 ? 'no such key' : 'not in it')];

type Structure = 'hash' | 'list' | 'set' | 'zset' | 'stream';

function whole(type: Structure, key: string): [string, string, ...string[]] {
  switch (type) {
    case 'hash':
      return ['HGETALL', key];
    case 'list':
      return ['LRANGE', key, '0', '-1'];
    case 'set':
      return ['SMEMBERS', key];
    case 'zset':
      return ['ZRANGE', key, '0', '-1', 'WITHSCORES'];
    case 'stream':
      return ['XRANGE', key, '-', '+'];
  }
}

function members(type: Structure, reply: Reply): Set<string> {
  const items = Array.isArray(reply) ? reply : [];
  if (type === 'stream') return new Set(items.map((item) => (Array.isArray(item) ? flat(item[1]) : '')));
  if (type === 'list' || type === 'set') return new Set(items.map(String));
  return new Set(items.flatMap((item, i) => (i % 2 === 0 ? [`${String(item)}=${String(items[i + 1])}`] : [])));
}

const flat = (fields: Reply | undefined): string => (Array.isArray(fields) ? String(fields[1]) : '');

/**
 * A counter's answers rise from one acknowledgement to the next; an answer that does not, or a final value below the last
 * one, tells exactly how many increments went missing. More than were acknowledged can't have.
 */
function checkCounter(pairs: readonly Pair[], final: number): { lost: number; example?: Lost } {
  let high = 0;
  let lost = 0;
  for (const { record } of pairs) {
    if (record.value <= high) lost += high - record.value + 1;
    high = record.value;
  }
  lost = Math.min(lost + Math.max(0, high - final), pairs.length);
  const last = pairs.at(-1);
  if (lost === 0 || last === undefined) return { lost: 0 };
  const { key, type } = last.entry;
  const { at } = last.record;
  const expected = `every answer of INCR above the one before, and at least ${high} now`;
  return { lost, example: { key, type, at, expected, found: `${final} now, and ${lost} increments missing` } };
}

const show = (value: Reply): string => (value === null ? 'no such key' : String(value));

const lostOf = ({ record, entry }: Pair, found: string): Lost => ({
  key: entry.key,
  type: entry.type,
  at: record.at,
  expected: `${entry.value}, acknowledged at ${new Date(record.at).toISOString()}`,
  found,
});

/**
 * Takes out what was acknowledged between a shard's backup and the end of its writes: a restore has given it up. Of a
 * counter that goes on from the backup's value no one increment can be told from another: where its writes reach into
 * that time, all that is missing of it is of that time.
 */
export function withoutGivenUp(result: GenerationResult, { from, until }: Omit<GivenUp, 'shard'>): GenerationResult {
  const within = ({ at, type }: Lost): boolean =>
    at >= Date.parse(from) && (type === 'counter' || at <= Date.parse(until));
  const lost = result.lost.filter((it) => !within(it));
  const increments = result.lostCount - result.lost.filter(({ type }) => type !== 'counter').length;
  const kept = lost.filter(({ type }) => type !== 'counter').length;
  const lostCount = kept + (lost.some(({ type }) => type === 'counter') ? increments : 0);
  return { ...result, lost, lostCount, givenUp: result.lostCount - lostCount };
}

/** Adds one generation to the sum; the first hundred losses are kept as examples. */
export function addGeneration(sum: LedgerResult, result: GenerationResult): void {
  const { acknowledged, lost, lostCount, givenUp = 0 } = result;
  const named = new Map<string, number>();
  for (const { type } of lost) named.set(type, (named.get(type) ?? 0) + 1);
  // A counter has one example, however many of its increments are missing.
  const unnamed = lostCount - lost.length;
  if (unnamed > 0) named.set('counter', (named.get('counter') ?? 0) + unnamed);
  for (const [type, count] of Object.entries(acknowledged)) {
    const before = sum.byType[type] ?? { acknowledged: 0, lost: 0 };
    sum.byType[type] = { acknowledged: before.acknowledged + count, lost: before.lost + (named.get(type) ?? 0) };
    sum.acknowledged += count;
  }
  sum.lost += lostCount;
  if (givenUp > 0) sum.givenUp = (sum.givenUp ?? 0) + givenUp;
  sum.found = sum.acknowledged - sum.lost - (sum.givenUp ?? 0);
  const examples = lost.slice(0, Math.max(0, 100 - sum.examples.length));
  sum.examples.push(...examples.map(({ key, type, expected, found }) => ({ key, type, expected, found })));
}
