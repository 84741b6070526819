import { keySlot } from './slot.js';
import type { Reply } from './resp.js';

/**
 * What the probe writes. Everything about a write follows from its run, client and number, so that the ledger needs to
 * hold no more than that. Only commands that 5.0 knows.
 */
export const entryTypes = ['string', 'string-ttl', 'hash', 'list', 'set', 'zset', 'stream', 'counter'] as const;
export type EntryType = (typeof entryTypes)[number];
export type ClientName = 'ioredis' | 'raw';

/** Writes of one client that share their structures: 250 of each type, 506 keys. */
export const GENERATION = 2000;
const OF_TYPE = GENERATION / entryTypes.length;

/** Longer than any upgrade may be paused for in practice; a deployment whose probe was forgotten is clean after it. */
export const TTL_SECONDS = 7 * 24 * 3600;

/** One probe run in one shard. */
export interface RunShard {
  run: string;
  prefix: string;
  shard: string;
  /** Hash tags whose slots belong to the shard; generations take turns. */
  tags: string[];
}

export interface Entry {
  type: EntryType;
  key: string;
  slot: number;
  /** Hash field, list element, set member, …; the value itself of a string. Unique over all runs. */
  value: string;
  score: number;
}

export const typeOf = (seq: number): EntryType => entryTypes[seq % entryTypes.length] ?? 'string';
export const generationOf = (seq: number): number => Math.floor(seq / GENERATION);

const stem = ({ prefix, tags, run }: RunShard, client: ClientName, generation: number): string =>
  `${prefix}:{${tags[generation % tags.length] ?? ''}}:${run}:${client}:${generation}`;

export function entryOf(shard: RunShard, client: ClientName, seq: number): Entry {
  const type = typeOf(seq);
  const index = Math.floor((seq % GENERATION) / entryTypes.length);
  const own = type === 'string' || type === 'string-ttl' ? `:${index}` : '';
  const key = `${stem(shard, client, generationOf(seq))}:${type}${own}`;
  return { type, key, slot: keySlot(key), value: `${shard.run}.${client}.${seq}`, score: seq };
}

/** Every key that a generation may have written, acknowledged or not; all of one slot. */
export function keysOf(shard: RunShard, client: ClientName, generation: number): string[] {
  const base = stem(shard, client, generation);
  const strings = Array.from({ length: OF_TYPE }, (_, i) => [`${base}:string:${i}`, `${base}:string-ttl:${i}`]).flat();
  return [...strings, ...entryTypes.filter((type) => !type.startsWith('string')).map((type) => `${base}:${type}`)];
}

export function writeCommand({ type, key, value, score }: Entry): string[] {
  switch (type) {
    case 'string':
      return ['SET', key, value];
    case 'string-ttl':
      return ['SET', key, value, 'EX', String(TTL_SECONDS)];
    case 'hash':
      return ['HSET', key, value, value];
    case 'list':
      return ['RPUSH', key, value];
    case 'set':
      return ['SADD', key, value];
    case 'zset':
      return ['ZADD', key, String(score), value];
    case 'stream':
      return ['XADD', key, '*', 'v', value];
    case 'counter':
      return ['INCR', key];
  }
}

/** Reads one acknowledged write back while the probe runs; `reply` is what the write was answered with. */
export function readCommand({ type, key, value }: Entry, reply: Reply): string[] {
  switch (type) {
    case 'string':
    case 'string-ttl':
    case 'counter':
      return ['GET', key];
    case 'hash':
      return ['HGET', key, value];
    case 'list':
      return ['LINDEX', key, String(Number(reply) - 1)];
    case 'set':
      return ['SISMEMBER', key, value];
    case 'zset':
      return ['ZSCORE', key, value];
    case 'stream':
      return ['XRANGE', key, String(reply), String(reply)];
  }
}

/** Is `found` what the entry's write, answered with `reply`, must have left? */
export function isAsWritten({ type, value, score }: Entry, reply: Reply, found: Reply): boolean {
  switch (type) {
    case 'string':
    case 'string-ttl':
    case 'hash':
    case 'list':
      return found === value;
    case 'set':
      return found === 1;
    case 'zset':
      return Number(found) === score;
    case 'stream':
      return JSON.stringify(found) === JSON.stringify([[reply, ['v', value]]]);
    case 'counter':
      // Later increments may have come on top, and one that was sent twice may count twice.
      return Number(found) >= Number(reply);
  }
}
