import type { LedgerResult } from '../../model/evidence.js';
import { keySlot } from '../../redis/probe/slot.js';
import type { Reply } from '../../redis/probe/resp.js';

export const types = ['string', 'volatile', 'counter', 'hash', 'list', 'set', 'zset', 'stream'] as const;
export type KeyType = (typeof types)[number];

/** How long volatile keys are to live, ms: longer than any run. */
export const LIFETIME_MS = 3_600_000;

/**
 * One key and the writes to it, one after the other, numbered from 1. A write whose answer never came may have been
 * carried out or not: it is the key's last one, so at most one write of a key is in doubt.
 */
export interface LedgerKey {
  key: string;
  slot: number;
  type: KeyType;
  /** Bytes that each value is filled up to. */
  size: number;
  /** Writes 1 to `acknowledged` were answered; `sent` is that, or one more. */
  acknowledged: number;
  sent: number;
  /** When the last acknowledged write was sent and answered, ms since 1970: between them the lifetime began. */
  lastSentAt: number;
  lastAnsweredAt: number;
}

export const newKey = (key: string, type: KeyType, size: number): LedgerKey => ({
  key,
  slot: keySlot(key),
  type,
  size,
  acknowledged: 0,
  sent: 0,
  lastSentAt: 0,
  lastAnsweredAt: 0,
});

const value = (n: number, size: number): string => `${n}:`.padEnd(size, 'chaos');

/** The nth write of a key. Done twice it does no harm: clients send again what they got no answer for. */
export function writeOf({ key, type, size }: Pick<LedgerKey, 'key' | 'type' | 'size'>, n: number): string[] {
  switch (type) {
    case 'string':
      return ['SET', key, value(n, size)];
    case 'volatile':
      return ['SET', key, value(n, size), 'EX', String(LIFETIME_MS / 1000)];
    case 'counter':
      return ['INCR', key];
    case 'hash':
      return ['HSET', key, `field-${n}`, value(n, size)];
    case 'list':
      return ['RPUSH', key, value(n, size)];
    case 'set':
      return ['SADD', key, value(n, size)];
    case 'zset':
      return ['ZADD', key, String(n), value(n, size)];
    case 'stream':
      return ['XADD', key, '*', 'n', value(n, size)];
  }
}

/** What reads a key whole. */
export function readOf({ key, type }: Pick<LedgerKey, 'key' | 'type'>): string[] {
  switch (type) {
    case 'string':
    case 'volatile':
    case 'counter':
      return ['GET', key];
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

/** Acknowledged writes that are not there any more. */
export interface Lost {
  writes: number;
  what: string;
}

export const writesLost = (lost: readonly Lost[]): number => lost.reduce((sum, { writes }) => sum + writes, 0);

/** What the upgrade's own ledger lost. */
export const lostByUpgrade = ({ lost, examples }: Pick<LedgerResult, 'lost' | 'examples'>): Lost[] =>
  lost === 0
    ? []
    : [{ writes: lost, what: `${lost} by the upgrade's own ledger: ${JSON.stringify(examples).slice(0, 600)}` }];

/** All that a key would show, where nothing of it can be read. */
export const allLost = (it: LedgerKey, what: string): Lost[] =>
  it.acknowledged === 0 ? [] : [{ writes: shownBy(it), what: `${it.key}${what}` }];

/** A string shows its last write alone. */
const shownBy = ({ type, acknowledged }: LedgerKey): number =>
  type === 'string' || type === 'volatile' ? Math.min(1, acknowledged) : acknowledged;

/** What of a key's acknowledged writes a reply doesn't show; none when all of them are there. */
export function missingIn(it: LedgerKey, reply: Reply | undefined): Lost[] {
  if (it.acknowledged === 0) return [];
  if (reply instanceof Error) return allLost(it, ` can't be read: ${reply.message}`);
  if (it.type === 'string' || it.type === 'volatile' || it.type === 'counter') return missingValue(it, reply);
  const seen = elementsOf(it.type, reply ?? []);
  const missing: Lost[] = [];
  for (let n = 1; n <= it.acknowledged; n++)
    if (!seen.has(expected(it, n)))
      missing.push({ writes: 1, what: `${it.key} (${it.type}): write ${n} of ${it.acknowledged}` });
  return missing;
}

function missingValue({ key, type, size, acknowledged, sent }: LedgerKey, reply: Reply | undefined): Lost[] {
  const found = typeof reply === 'string' ? reply : '';
  const last = Number(found.split(':')[0]);
  const isThere =
    type === 'counter'
      ? // Sent again after a broken connection it may count twice.
        last >= acknowledged && found !== ''
      : last >= acknowledged && last <= sent && found === value(last, size);
  if (isThere) return [];
  // What a counter shows is how many writes it has.
  const writes = type === 'counter' ? acknowledged - (last || 0) : 1;
  const shown = found === '' ? 'nothing' : found.slice(0, 40);
  return [{ writes, what: `${key} (${type}): write ${acknowledged}, found ${shown}` }];
}

/** How the nth write shows among the elements of a key that is read whole. */
const expected = ({ type, size }: LedgerKey, n: number): string =>
  type === 'hash' ? `field-${n} ${value(n, size)}` : type === 'zset' ? `${value(n, size)} ${n}` : value(n, size);

function elementsOf(type: KeyType, reply: Reply): Set<string> {
  const items = Array.isArray(reply) ? reply : [];
  if (type === 'stream')
    return new Set(items.map((entry) => String(((entry as Reply[])[1] as Reply[] | undefined)?.[1])));
  if (type === 'hash' || type === 'zset')
    return new Set(
      items.flatMap((name, i) => {
        const other = type === 'zset' ? Number(items[i + 1]) : (items[i + 1] as string);
        return i % 2 === 0 ? [`${String(name)} ${other}`] : [];
      }),
    );
  return new Set(items.map(String));
}

/**
 * How far a volatile key's expiry is from where its last acknowledged write put it, ms: 0 when it is within what the
 * write's way there and back explains. Undefined where a later write is in doubt.
 *
 * @param expiresAt ms since 1970
 */
export function expiryOff(
  { sent, acknowledged, lastSentAt, lastAnsweredAt }: LedgerKey,
  expiresAt: number,
): number | undefined {
  if (sent !== acknowledged || acknowledged === 0) return undefined;
  const [earliest, latest] = [lastSentAt + LIFETIME_MS, lastAnsweredAt + LIFETIME_MS];
  return expiresAt < earliest ? expiresAt - earliest : Math.max(0, expiresAt - latest);
}
