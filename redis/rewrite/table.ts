import { copy } from './copy.js';
import * as expiry from './expiry.js';
import * as functions from './functions.js';
import * as hashes from './hashes.js';
import * as keys from './keys.js';
import type { KeysOf } from './keys.js';
import * as lists from './lists.js';
import { arg, into, nothing, word, type Becomes, type Pair, type Rewrite } from './rewritten.js';
import * as zsets from './sorted-sets.js';
import * as streams from './streams.js';
import * as strings from './strings.js';

/** A command that a newer server may propagate. */
export interface Entry {
  /** As `knowsSince` reads it. */
  since: string;
  keys: KeysOf;
  /** What it becomes on a target that knows the command; without it, the same. */
  known?: Way;
  /** What it becomes on one that doesn't. */
  unknown?: Way;
}
export interface Way {
  becomes: Becomes;
  rewrite: (pair: Pair) => Rewrite;
}

const way = (becomes: Becomes, rewrite: (pair: Pair) => Rewrite): Way => ({ becomes, rewrite });
const rewritten = (rewrite: (pair: Pair) => Rewrite): Way => way('rewritten', rewrite);
const recopied = (keysOf: KeysOf, reason = 'it is never propagated as itself'): Way =>
  way('recopied', () => (args) => {
    const found = keysOf(args);
    return { kind: 'recopy', keys: found === 'all' ? args.slice(1, 2) : found.writes, reason };
  });
const lost = (what: string, keysOf: KeysOf = keys.key): Way =>
  way('unrepresentable', () => (args) => {
    const found = keysOf(args);
    return { kind: 'unrepresentable', keys: found === 'all' ? [] : found.writes, what };
  });
const ignored = way('nothing', () => () => nothing);
const always = (since: string, keysOf: KeysOf, it: Way): Entry => ({ since, keys: keysOf, known: it, unknown: it });
/** Understood by every release that we go back to. */
const plain = (keysOf: KeysOf): Entry => ({ since: '5.0', keys: keysOf });
const plainly = (keysOf: KeysOf, ...names: string[]): Record<string, Entry> =>
  Object.fromEntries(names.map((name) => [name, plain(keysOf)]));

const fields = hashes.fieldExpiry;
const hexpire = (name: string, by: 1 | 1000): Entry => {
  const it = (pair: Pair): Rewrite => hashes.hexpire(pair, name, by);
  return { since: fields, keys: keys.key, known: rewritten(it), unknown: way('unrepresentable', it) };
};
const patterns = (args: Buffer[]): boolean =>
  keys.after(args, 2, ['BY', 'GET']).some((pattern) => pattern.includes(0x2a));
const del: Rewrite = (args) => into(['DEL', arg(args, 1)]);
const storeOf: Record<string, (args: Buffer[]) => Buffer[]> = {
  radius: (args) => keys.after(args, 2, ['STORE', 'STOREDIST']),
  search: (args) => [arg(args, 1)],
};
const georadius: Entry = {
  since: '5.0',
  keys: keys.georadius,
  known: way('recopied', (pair) => zsets.geo(pair, storeOf['radius'] ?? (() => []))),
};
const geosearch = way('recopied', (pair) => zsets.geo(pair, storeOf['search'] ?? (() => [])));
const vectors = { since: 'redis 8.0', keys: keys.key, unknown: lost('vector sets') };

/** Every command with effects that a stream may carry, of Redis up to 8.4 and Valkey up to 9.1. */
export const table: Readonly<Record<string, Entry>> = {
  ...plainly(keys.key, 'append', 'bitfield', 'decr', 'decrby', 'getset', 'incr', 'incrby', 'incrbyfloat', 'setbit'),
  ...plainly(keys.key, 'setnx', 'setrange', 'pfadd', 'persist', 'linsert', 'lpush', 'lpushx', 'lrem', 'lset', 'ltrim'),
  ...plainly(keys.key, 'rpush', 'rpushx', 'sadd', 'srem', 'hdel', 'hincrby', 'hincrbyfloat', 'hmset', 'hset'),
  ...plainly(keys.key, 'hsetnx', 'geoadd', 'zincrby', 'zpopmax', 'zpopmin', 'zrem', 'zremrangebylex'),
  ...plainly(keys.key, 'zremrangebyrank', 'zremrangebyscore', 'xack', 'xdel'),
  ...plainly(keys.keys, 'del', 'unlink', 'pfcount'),
  ...plainly(keys.pairsFrom(1), 'mset', 'msetnx'),
  ...plainly(keys.move, 'rename', 'renamenx', 'rpoplpush', 'smove'),
  ...plainly(keys.storeFrom(1), 'sdiffstore', 'sinterstore', 'sunionstore'),
  ...plainly(keys.storeCounted, 'zinterstore', 'zunionstore'),
  ...plainly(keys.everyKey, 'move', 'swapdb'),
  ...plainly(keys.noKeys, 'multi', 'exec', 'select'),
  pfmerge: plain(keys.merge),
  pfdebug: plain(keys.keyAt(2)),

  set: { since: '5.0', keys: keys.key, known: rewritten(strings.set) },
  setex: { since: '5.0', keys: keys.key, known: rewritten((pair) => strings.setex(pair, 'EX')) },
  psetex: { since: '5.0', keys: keys.key, known: rewritten((pair) => strings.setex(pair, 'PX')) },
  msetex: always('redis 8.4 valkey 9.1', keys.pairsFrom(2), rewritten(strings.msetex)),
  bitop: { since: '5.0', keys: keys.storeFrom(2), known: way('recopied', strings.bitop) },
  getdel: { since: '6.2', keys: keys.key, unknown: rewritten(() => del) },
  delifeq: always(
    'valkey 9.0',
    keys.key,
    rewritten(() => del),
  ),
  delex: always(
    'redis 8.4',
    keys.key,
    rewritten(() => del),
  ),
  getex: always('6.2', keys.key, rewritten(expiry.getex)),
  expire: { since: '5.0', keys: keys.key, known: rewritten((pair) => expiry.expire(pair, 'PEXPIRE', 1000)) },
  pexpire: { since: '5.0', keys: keys.key, known: rewritten((pair) => expiry.expire(pair, 'PEXPIRE', 1)) },
  expireat: { since: '5.0', keys: keys.key, known: rewritten((pair) => expiry.expire(pair, 'PEXPIREAT', 1000)) },
  pexpireat: { since: '5.0', keys: keys.key, known: rewritten((pair) => expiry.expire(pair, 'PEXPIREAT', 1)) },
  restore: { since: '5.0', keys: keys.key, known: rewritten(expiry.restore) },
  'restore-asking': { since: '5.0', keys: keys.key, known: rewritten(expiry.restore) },
  copy: { since: '6.2', keys: keys.copy, known: way('recopied', copy), unknown: way('recopied', copy) },
  sort: {
    since: '5.0',
    keys: keys.sort,
    known: way('recopied', () => (args) => {
      const stored = keys.after(args, 2, ['STORE']);
      if (!patterns(args)) return { kind: 'same' };
      return { kind: 'recopy', keys: stored, reason: 'SORT reads keys that only its patterns name' };
    }),
  },
  migrate: { since: '5.0', keys: keys.everyKey, known: recopied(keys.keyAt(3)) },
  flushall: { since: '5.0', keys: keys.everyKey, known: rewritten(flush) },
  flushdb: { since: '5.0', keys: keys.everyKey, known: rewritten(flush) },

  lpop: { since: '5.0', keys: keys.key, known: rewritten((pair) => lists.pop(pair, 'left')) },
  rpop: { since: '5.0', keys: keys.key, known: rewritten((pair) => lists.pop(pair, 'right')) },
  lmove: { since: '6.2', keys: keys.move, unknown: rewritten(() => lists.lmove) },
  blmove: always('6.2', keys.move, recopied(keys.move)),
  brpoplpush: always('5.0', keys.move, recopied(keys.move)),
  lmpop: always('7.0', keys.counted(1), recopied(keys.counted(1))),
  blmpop: always('7.0', keys.counted(2), recopied(keys.counted(2))),
  blpop: always('5.0', keys.keysButLast, recopied(keys.keysButLast)),
  brpop: always('5.0', keys.keysButLast, recopied(keys.keysButLast)),
  spop: always('5.0', keys.key, recopied(keys.key)),

  hexpire: hexpire('HPEXPIRE', 1000),
  hpexpire: hexpire('HPEXPIRE', 1),
  hexpireat: hexpire('HPEXPIREAT', 1000),
  hpexpireat: hexpire('HPEXPIREAT', 1),
  hpersist: { since: fields, keys: keys.key, unknown: ignored },
  hgetex: always('redis 8.0 valkey 9.0', keys.key, recopied(keys.key)),
  hsetex: always('redis 8.0 valkey 9.0', keys.key, rewritten(hashes.hsetex)),
  hgetdel: always(
    'redis 8.0 valkey 9.0',
    keys.key,
    rewritten(() => hashes.hgetdel),
  ),

  zadd: { since: '5.0', keys: keys.key, known: rewritten(zsets.zadd) },
  zrangestore: { since: '6.2', keys: keys.storeOne, unknown: rewritten(() => zsets.zrangestore) },
  zdiffstore: { since: '6.2', keys: keys.storeCounted, unknown: rewritten(() => zsets.zdiffstore) },
  zmpop: always('7.0', keys.counted(1), recopied(keys.counted(1))),
  bzmpop: always('7.0', keys.counted(2), recopied(keys.counted(2))),
  bzpopmax: always('5.0', keys.keysButLast, recopied(keys.keysButLast)),
  bzpopmin: always('5.0', keys.keysButLast, recopied(keys.keysButLast)),
  georadius,
  georadiusbymember: georadius,
  geosearchstore: { since: '6.2', keys: keys.storeOne, known: geosearch, unknown: geosearch },

  xadd: { since: '5.0', keys: keys.key, known: rewritten(streams.xadd) },
  xtrim: { since: '5.0', keys: keys.key, known: rewritten(streams.xtrim) },
  xgroup: { since: '5.0', keys: keys.keyAt(2), known: rewritten(streams.xgroup) },
  xsetid: { since: '5.0', keys: keys.key, known: rewritten(streams.xsetid) },
  xclaim: { since: '5.0', keys: keys.key, known: rewritten(streams.xclaim) },
  xautoclaim: always('6.2', keys.key, recopied(keys.key)),
  xreadgroup: always('5.0', keys.streams, recopied(keys.streams)),
  xdelex: { since: 'redis 8.2', keys: keys.key, unknown: rewritten(() => streams.xdelex) },
  xackdel: { since: 'redis 8.2', keys: keys.key, unknown: rewritten(() => streams.xackdel) },

  vadd: vectors,
  vrem: vectors,
  vsetattr: vectors,

  // Nobody subscribes at a standby; but as a cluster's member it would pass the message on, and clients had it twice.
  publish: always('5.0', keys.noKeys, ignored),
  spublish: always('7.0', keys.noKeys, ignored),
  ping: always('5.0', keys.noKeys, ignored),
  replconf: always('5.0', keys.noKeys, ignored),
  script: always('5.0', keys.noKeys, ignored),
  // Propagated by effect since 7.0, and before unless `lua-replicate-commands` was switched off.
  eval: always('5.0', keys.everyKey, lost('scripts replicated as text (lua-replicate-commands no)', keys.noKeys)),
  evalsha: always('5.0', keys.everyKey, lost('scripts replicated as text (lua-replicate-commands no)', keys.noKeys)),
  function: {
    since: '7.0',
    keys: keys.noKeys,
    known: rewritten(functions.functionCommand),
    unknown: way('unrepresentable', functions.functionCommand),
  },
  cluster: always(
    '5.0',
    keys.everyKey,
    way('unrepresentable', () => functions.cluster),
  ),
};

/** SYNC came with 6.2; before it there was no other way. */
function flush({ knows }: Pair): Rewrite {
  return (args) => (!knows('6.2') && word(args, 1) === 'SYNC' ? into(args.slice(0, 1)) : { kind: 'same' });
}
