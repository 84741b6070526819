import type { KeyType, PlayableCommand } from '../../model/load-shape.js';

/** Fields, members and entries that the load uses of a structure: no value grows beyond what it has been told. */
export const ELEMENTS = 10;
/** Longer than any benchmark: an expiry that is set changes nothing of what later commands find. */
const TTL_SECONDS = 86_400;

export type Words = readonly [string, ...string[]];

/** What commands are made of, as they were drawn. */
export interface Parts {
  key: string;
  /** Number of a field, member or entry, 0 to ELEMENTS - 1. */
  element: number;
  /** A whole value, of a string; */
  value: () => string;
  /** and the part of one that an element has. */
  piece: () => string;
}

type Make = (parts: Parts) => Words;

/** A hash's field, and a set's member: short, and the same each time, so that sets stay as small as they are. */
const field = (element: number): string => `field-${element}`;
const onKey =
  (name: string, ...rest: string[]): Make =>
  ({ key }) => [name, key, ...rest];

const ofField =
  (name: string): Make =>
  ({ key, element }) => [name, key, field(element)];

/** The words of each command that can be played. */
export const makers: Readonly<Record<PlayableCommand, Make>> = {
  get: onKey('GET'),
  // Of one key: keys of several slots are of several nodes.
  mget: onKey('MGET'),
  strlen: onKey('STRLEN'),
  getrange: onKey('GETRANGE', '0', '99'),
  exists: onKey('EXISTS'),
  ttl: onKey('TTL'),
  pttl: onKey('PTTL'),
  type: onKey('TYPE'),
  set: ({ key, value }) => ['SET', key, value()],
  setex: ({ key, value }) => ['SETEX', key, String(TTL_SECONDS), value()],
  psetex: ({ key, value }) => ['PSETEX', key, String(TTL_SECONDS * 1000), value()],
  getset: ({ key, value }) => ['GETSET', key, value()],
  del: onKey('DEL'),
  unlink: onKey('UNLINK'),
  expire: onKey('EXPIRE', String(TTL_SECONDS)),
  pexpire: onKey('PEXPIRE', String(TTL_SECONDS * 1000)),
  incr: onKey('INCR'),
  incrby: onKey('INCRBY', '7'),
  decr: onKey('DECR'),
  hget: ofField('HGET'),
  hmget: ({ key, element }) => ['HMGET', key, field(element), field((element + 1) % ELEMENTS)],
  hgetall: onKey('HGETALL'),
  hexists: ofField('HEXISTS'),
  hlen: onKey('HLEN'),
  hset: ({ key, element, piece }) => ['HSET', key, field(element), piece()],
  hmset: ({ key, element, piece }) => ['HMSET', key, field(element), piece()],
  hdel: ofField('HDEL'),
  hincrby: onKey('HINCRBY', 'counted', '1'),
  lrange: onKey('LRANGE', '0', String(ELEMENTS - 1)),
  lindex: ({ key, element }) => ['LINDEX', key, String(element)],
  llen: onKey('LLEN'),
  lpush: ({ key, piece }) => ['LPUSH', key, piece()],
  rpush: ({ key, piece }) => ['RPUSH', key, piece()],
  lpop: onKey('LPOP'),
  rpop: onKey('RPOP'),
  smembers: onKey('SMEMBERS'),
  sismember: ofField('SISMEMBER'),
  scard: onKey('SCARD'),
  sadd: ofField('SADD'),
  srem: ofField('SREM'),
  zrange: onKey('ZRANGE', '0', String(ELEMENTS - 1), 'WITHSCORES'),
  zrangebyscore: onKey('ZRANGEBYSCORE', '0', '5'),
  zrevrange: onKey('ZREVRANGE', '0', String(ELEMENTS - 1)),
  zscore: ofField('ZSCORE'),
  zrank: ofField('ZRANK'),
  zcard: onKey('ZCARD'),
  zadd: ({ key, element }) => ['ZADD', key, String(element), field(element)],
  zrem: ofField('ZREM'),
  zincrby: ({ key, element }) => ['ZINCRBY', key, '1', field(element)],
  xrange: onKey('XRANGE', '-', '+', 'COUNT', String(ELEMENTS)),
  xlen: onKey('XLEN'),
  xadd: ({ key, piece }) => ['XADD', key, 'MAXLEN', String(ELEMENTS), '*', 'field', piece()],
};

/** What bounds a list that more is pushed to than popped from. */
export const trimmed = (key: string): Words => ['LTRIM', key, '0', String(ELEMENTS - 1)];

/** How a key of a type comes to be there, whole, before the load begins. */
export const filled: Readonly<Record<KeyType, Make>> = {
  string: makers.set,
  counter: ({ key }) => ['SET', key, '1'],
  hash: ({ key, piece }) => ['HMSET', key, ...each((element) => [field(element), piece()])],
  list: ({ key, piece }) => ['RPUSH', key, ...each(() => [piece()])],
  set: ({ key }) => ['SADD', key, ...each((element) => [field(element)])],
  'sorted set': ({ key }) => ['ZADD', key, ...each((element) => [String(element), field(element)])],
  stream: makers.xadd,
};

const each = (of: (element: number) => string[]): string[] => Array.from({ length: ELEMENTS }, (_, i) => of(i)).flat();
