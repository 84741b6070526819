import { knowsSince } from '../../../model/compatibility/knows-since.js';
import { draws } from '../../../model/random.js';

export type Draw = (below: number) => number;
type Maker = (draw: Draw, now: number) => (string | number | Buffer)[];

/** The same numbers for the same seed , so that a failure can be run again. */
export function drawing(seed: number): Draw {
  const next = draws(seed);
  return (below) => (next() * 4_294_967_296) % below;
}

const kinds = ['string', 'list', 'set', 'hash', 'zset', 'stream', 'hll', 'float'] as const;
/** Few enough that commands meet. */
const perKind = 6;
/** The last of each kind has bytes in its name that no text has: each character is one byte. */
const nameOf = (kind: string, i: number): string => (i === perKind - 1 ? `${kind}:\r\n\0\xff{}` : `${kind}:${i}`);
export const allKeys = kinds.flatMap((kind) => Array.from({ length: perKind }, (_, i) => nameOf(kind, i)));

const key = (draw: Draw, kind: (typeof kinds)[number]): string => nameOf(kind, draw(perKind));
const any = (draw: Draw): string => allKeys[draw(allKeys.length)] ?? '';
export const pick = <T>(draw: Draw, ...from: T[]): T => from[draw(from.length)] as T;
const value = (draw: Draw): string | Buffer =>
  pick<string | Buffer>(
    draw,
    `${draw(1000)}`,
    'text',
    '',
    Buffer.from([0, 13, 10, 255, draw(256)]),
    'x'.repeat(draw(300)),
  );
const name = (draw: Draw): string => `m${draw(12)}`;
const score = (draw: Draw): string =>
  pick(draw, `${draw(9)}`, `0.${draw(99)}`, `-${draw(5)}.5`, `${draw(9)}e-3`, 'inf');
const side = (draw: Draw): string => pick(draw, 'LEFT', 'RIGHT');
const several = <T>(draw: Draw, make: (draw: Draw) => T): T[] => Array.from({ length: 1 + draw(4) }, () => make(draw));
/** Mostly far off; some so soon that they are renewed or end while commands go on. */
const ttl = (draw: Draw): number => (draw(5) === 0 ? 1 + draw(60) : 1_000_000 + draw(1_000_000));
const id = (draw: Draw): string => `${1 + draw(40)}-${draw(3)}`;

const makers: [since: string, weight: number, make: Maker][] = [
  ['5.0', 6, (d) => ['SET', key(d, 'string'), value(d)]],
  ['5.0', 3, (d) => ['SET', key(d, 'string'), value(d), 'PX', ttl(d)]],
  ['6.2', 2, (d, now) => ['SET', key(d, 'string'), value(d), pick(d, 'NX', 'XX'), 'PXAT', now + ttl(d)]],
  ['6.2', 2, (d) => ['SET', key(d, 'string'), value(d), 'GET', 'KEEPTTL']],
  ['valkey 8.1', 2, (d) => ['SET', key(d, 'string'), value(d), 'IFEQ', 'text']],
  ['valkey 9.1', 2, (d) => ['MSETEX', 2, key(d, 'string'), value(d), key(d, 'string'), value(d), 'PX', ttl(d)]],
  ['valkey 9.0', 1, (d) => ['DELIFEQ', key(d, 'string'), 'text']],
  ['6.2', 2, (d) => ['GETEX', key(d, 'string'), 'PX', ttl(d)]],
  ['6.2', 1, (d) => ['GETEX', key(d, 'string'), 'PERSIST']],
  ['6.2', 1, (d) => ['GETDEL', key(d, 'string')]],
  ['5.0', 2, (d) => ['APPEND', key(d, 'string'), value(d)]],
  ['5.0', 1, (d) => ['SETRANGE', key(d, 'string'), d(20), 'zz']],
  ['5.0', 2, (d) => ['SETBIT', key(d, 'string'), d(200), d(2)]],
  ['5.0', 1, (d) => ['BITFIELD', key(d, 'string'), 'INCRBY', 'u8', d(64), d(300)]],
  ['5.0', 1, (d) => ['BITOP', pick(d, 'AND', 'OR', 'XOR'), key(d, 'string'), key(d, 'string'), key(d, 'string')]],
  ['5.0', 1, (d) => ['MSET', key(d, 'string'), value(d), key(d, 'string'), value(d)]],
  ['5.0', 1, (d) => ['GETSET', key(d, 'string'), value(d)]],
  ['5.0', 3, (d) => ['INCRBYFLOAT', key(d, 'float'), `0.${1 + d(99)}`]],
  ['5.0', 2, (d) => ['INCRBY', key(d, 'float'), d(10)]],
  ['5.0', 5, (d) => [pick(d, 'RPUSH', 'LPUSH'), key(d, 'list'), ...several(d, value)]],
  ['5.0', 2, (d) => [pick(d, 'RPOP', 'LPOP'), key(d, 'list')]],
  ['6.2', 3, (d) => [pick(d, 'RPOP', 'LPOP'), key(d, 'list'), d(5)]],
  ['6.2', 5, (d) => ['LMOVE', key(d, 'list'), key(d, 'list'), side(d), side(d)]],
  ['7.0', 3, (d) => ['LMPOP', 2, key(d, 'list'), key(d, 'list'), side(d), 'COUNT', 1 + d(4)]],
  ['5.0', 1, (d) => ['RPOPLPUSH', key(d, 'list'), key(d, 'list')]],
  ['5.0', 1, (d) => ['LINSERT', key(d, 'list'), pick(d, 'BEFORE', 'AFTER'), 'text', value(d)]],
  ['5.0', 1, (d) => ['LREM', key(d, 'list'), d(3) - 1, 'text']],
  ['5.0', 1, (d) => ['LTRIM', key(d, 'list'), d(2), -1]],
  ['5.0', 1, (d) => ['SORT', key(d, 'set'), 'ALPHA', 'STORE', key(d, 'list')]],
  ['5.0', 4, (d) => ['SADD', key(d, 'set'), ...several(d, name)]],
  ['5.0', 2, (d) => ['SPOP', key(d, 'set'), d(3)]],
  ['5.0', 1, (d) => ['SREM', key(d, 'set'), ...several(d, name)]],
  ['5.0', 1, (d) => ['SMOVE', key(d, 'set'), key(d, 'set'), name(d)]],
  ['5.0', 2, (d) => [pick(d, 'SUNIONSTORE', 'SINTERSTORE', 'SDIFFSTORE'), key(d, 'set'), key(d, 'set'), key(d, 'set')]],
  ['5.0', 4, (d) => ['HSET', key(d, 'hash'), name(d), value(d), name(d), value(d)]],
  ['5.0', 2, (d) => ['HINCRBY', key(d, 'hash'), `n${d(4)}`, d(9)]],
  ['5.0', 2, (d) => ['HINCRBYFLOAT', key(d, 'hash'), `f${d(4)}`, `0.${1 + d(9)}`]],
  ['5.0', 1, (d) => ['HDEL', key(d, 'hash'), name(d), name(d)]],
  ['redis 7.4 valkey 9.0', 3, (d) => ['HPEXPIRE', key(d, 'hash'), ttl(d), 'FIELDS', 2, name(d), name(d)]],
  ['redis 7.4 valkey 9.0', 1, (d) => ['HPERSIST', key(d, 'hash'), 'FIELDS', 1, name(d)]],
  [
    'redis 8.0 valkey 9.0',
    2,
    (d) => ['HSETEX', key(d, 'hash'), pick(d, 'FNX', 'FXX'), 'PX', ttl(d), 'FIELDS', 1, name(d), value(d)],
  ],
  ['redis 8.0 valkey 9.0', 1, (d) => ['HSETEX', key(d, 'hash'), 'KEEPTTL', 'FIELDS', 1, name(d), value(d)]],
  ['redis 8.0 valkey 9.0', 1, (d) => ['HGETDEL', key(d, 'hash'), 'FIELDS', 1, name(d)]],
  ['redis 8.0 valkey 9.0', 1, (d) => ['HGETEX', key(d, 'hash'), 'PX', ttl(d), 'FIELDS', 1, name(d)]],
  ['5.0', 5, (d) => ['ZADD', key(d, 'zset'), ...several(d, (it) => [score(it), name(it)]).flat()]],
  [
    '6.2',
    4,
    (d) => [
      'ZADD',
      key(d, 'zset'),
      ...(d(2) ? ['XX'] : []),
      pick(d, 'GT', 'LT'),
      ...several(d, (it) => [score(it), name(it)]).flat(),
    ],
  ],
  ['6.2', 2, (d) => ['ZADD', key(d, 'zset'), pick(d, 'GT', 'LT'), 'INCR', pick(d, '0.1', '-0.7', '2'), name(d)]],
  ['5.0', 2, (d) => ['ZINCRBY', key(d, 'zset'), `0.${1 + d(99)}`, name(d)]],
  ['5.0', 1, (d) => [pick(d, 'ZPOPMIN', 'ZPOPMAX'), key(d, 'zset'), d(3)]],
  ['7.0', 1, (d) => ['ZMPOP', 2, key(d, 'zset'), key(d, 'zset'), pick(d, 'MIN', 'MAX'), 'COUNT', 1 + d(3)]],
  [
    '5.0',
    2,
    (d) => [
      pick(d, 'ZUNIONSTORE', 'ZINTERSTORE'),
      key(d, 'zset'),
      3,
      key(d, 'zset'),
      key(d, 'set'),
      key(d, 'zset'),
      'WEIGHTS',
      '0.3',
      1,
      '1.7',
      'AGGREGATE',
      pick(d, 'SUM', 'MIN', 'MAX'),
    ],
  ],
  ['6.2', 2, (d) => ['ZDIFFSTORE', key(d, 'zset'), 2, pick(d, key(d, 'zset'), key(d, 'set')), key(d, 'zset')]],
  ['6.2', 2, (d) => ['ZRANGESTORE', key(d, 'zset'), key(d, 'zset'), d(3), pick(d, -1, 4), ...(d(2) ? ['REV'] : [])]],
  [
    '6.2',
    2,
    (d) => [
      'ZRANGESTORE',
      key(d, 'zset'),
      key(d, 'zset'),
      pick(d, '-inf', '(0', '0.5'),
      pick(d, '+inf', '(5'),
      'BYSCORE',
      'LIMIT',
      d(2),
      pick(d, -1, 3),
    ],
  ],
  ['5.0', 1, (d) => ['ZREMRANGEBYSCORE', key(d, 'zset'), '(1', d(6)]],
  ['5.0', 1, (d) => ['ZREMRANGEBYRANK', key(d, 'zset'), 0, d(2)]],
  ['5.0', 1, (d) => ['GEOADD', key(d, 'zset'), d(90), d(80), name(d)]],
  ['5.0', 5, (d) => ['XADD', key(d, 'stream'), '*', 'f', value(d)]],
  ['5.0', 2, (d) => ['XADD', key(d, 'stream'), 'MAXLEN', ...(d(2) ? ['~'] : []), 5 + d(9), '*', 'f', value(d)]],
  ['6.2', 2, (d) => ['XADD', key(d, 'stream'), 'NOMKSTREAM', 'MINID', id(d), '*', 'f', value(d)]],
  ['7.0', 1, (d, now) => ['XADD', key(d, 'stream'), `${now + 100}-*`, 'f', value(d)]],
  ['6.2', 1, (d, now) => ['XTRIM', key(d, 'stream'), 'MINID', now - d(2000)]],
  ['5.0', 1, (d) => ['XTRIM', key(d, 'stream'), 'MAXLEN', 4 + d(9)]],
  ['5.0', 2, (d) => ['XGROUP', 'CREATE', key(d, 'stream'), `g${d(2)}`, pick(d, '0', '$'), 'MKSTREAM']],
  ['6.2', 1, (d) => ['XGROUP', 'CREATECONSUMER', key(d, 'stream'), `g${d(2)}`, `c${d(3)}`]],
  ['5.0', 1, (d) => ['XGROUP', 'SETID', key(d, 'stream'), `g${d(2)}`, '0']],
  ['5.0', 1, (d) => ['XGROUP', 'DELCONSUMER', key(d, 'stream'), `g${d(2)}`, `c${d(3)}`]],
  [
    '5.0',
    5,
    (d) => [
      'XREADGROUP',
      'GROUP',
      `g${d(2)}`,
      `c${d(3)}`,
      'COUNT',
      1 + d(3),
      ...(d(4) ? [] : ['NOACK']),
      'STREAMS',
      key(d, 'stream'),
      '>',
    ],
  ],
  ['6.2', 2, (d) => ['XAUTOCLAIM', key(d, 'stream'), `g${d(2)}`, `c${d(3)}`, 0, '0', 'COUNT', 2]],
  ['5.0', 2, (d) => ['PFADD', key(d, 'hll'), ...several(d, name)]],
  ['5.0', 1, (d) => ['PFMERGE', key(d, 'hll'), key(d, 'hll'), key(d, 'hll')]],
  ['5.0', 1, (d) => ['PFCOUNT', key(d, 'hll')]],
  ['5.0', 3, (d) => ['PEXPIRE', any(d), ttl(d)]],
  ['7.0', 2, (d, now) => ['PEXPIREAT', any(d), now + ttl(d), pick(d, 'NX', 'XX', 'GT', 'LT')]],
  ['5.0', 1, (d) => ['PERSIST', any(d)]],
  ['5.0', 1, (d) => [pick(d, 'DEL', 'UNLINK'), any(d), any(d)]],
  ['5.0', 1, (d) => pick(d, ...kinds.map((kind) => ['RENAME', key(d, kind), key(d, kind)]))],
  [
    '6.2',
    2,
    (d) => pick(d, ...kinds.map((kind) => ['COPY', key(d, kind), key(d, kind), ...(d(2) ? ['REPLACE'] : [])])),
  ],
];

/** Commands of every type that a release knows. Some are refused, as anyone's are. */
export function randomCommands(release: string, draw: Draw): (now: number) => (string | number | Buffer)[] {
  const known = makers.filter(([since]) => knowsSince(release, since));
  const urn = known.flatMap(([, weight, make]) => Array.from({ length: weight }, () => make));
  return (now) => pick(draw, ...urn)(draw, now).map((it) => (typeof it === 'string' ? bytesOf(it) : it));
}

export const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

/** XDEL and XACK and XCLAIM of entries that exist: their ids are the server's own. */
export const ofEntries = (draw: Draw, name: string, ids: readonly string[]): (string | Buffer)[] => {
  const key = bytesOf(name);
  const [one = '1-1', other = '2-1'] = [ids[draw(ids.length)], ids[draw(ids.length)]];
  return pick(
    draw,
    ['XDEL', key, one],
    ['XACK', key, `g${draw(2)}`, one, other],
    ['XCLAIM', key, `g${draw(2)}`, `c${draw(3)}`, '0', one, other, ...(draw(2) ? ['FORCE'] : [])],
  );
};
