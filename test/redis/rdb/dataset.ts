import { atLeast } from '../../../model/release.js';
import type { NodeConnection } from '../../../redis/connection.js';
import type { KeyType } from '../../../redis/rdb/layout.js';

/** What `populate` wrote, counted while it wrote. */
export interface Written {
  byType: Partial<Record<KeyType, number>>;
  expires: number;
  hashesWithFieldExpiry: number;
  functions: number;
  /** Keys by database. */
  databases: Record<number, number>;
}

const range = (count: number, of: (i: number) => string): string[] => Array.from({ length: count }, (_, i) => of(i));
const hour = 3_600_000;

/** Keys of every type in every encoding that the release has, in two databases. */
export async function populate(node: NodeConnection, release: string): Promise<Written> {
  const written: Written = { byType: {}, expires: 0, hashesWithFieldExpiry: 0, functions: 0, databases: {} };
  let database = 0;
  const made = (type: KeyType): void => {
    written.byType[type] = (written.byType[type] ?? 0) + 1;
    written.databases[database] = (written.databases[database] ?? 0) + 1;
  };
  const write = async (type: KeyType, command: string, key: string | Buffer, ...args: (string | Buffer)[]) => {
    await node.call(command, key, ...args);
    made(type);
  };
  const long = (i: number): string => `${i}:`.padEnd(100, 'value that compresses ');
  const noise = Buffer.from(range(3000, (i) => String.fromCharCode((i * i * 7919) % 251)).join(''), 'latin1');

  for (const number of ['1', '-300', '70000', '5000000000']) await write('string', 'SET', `string:${number}`, number);
  await write('string', 'SET', 'string:empty', '');
  await write('string', 'SET', 'string:compressed', long(0).repeat(50));
  await write('string', 'SET', 'string:noise', noise);
  await write('string', 'SET', 'string:5 MB', Buffer.alloc(5 << 20, noise));
  await write('string', 'SET', Buffer.from([0, 255, 13, 10, 254]), Buffer.from([255, 0, 13, 10]));
  await write('list', 'RPUSH', 'list:small', 'a', '1', '-70000');
  await write('list', 'RPUSH', 'list:large', ...range(2000, long));
  await write('list', 'RPUSH', 'list:big element', Buffer.alloc(100_000, 'x'), 'y');
  await write('set', 'SADD', 'set:integers', ...range(50, String), '70000', '5000000000');
  await write('set', 'SADD', 'set:small', 'a', 'b', '3');
  await write('set', 'SADD', 'set:large', ...range(1000, long));
  await write('zset', 'ZADD', 'zset:small', '1', 'a', '1.5', 'b', '-inf', 'c');
  await write('zset', 'ZADD', 'zset:large', ...range(500, String).flatMap((i) => [`${i}.25`, `member ${i}`]));
  await write('hash', 'HSET', 'hash:small', 'field', 'value', 'number', '12345');
  await write('hash', 'HSET', 'hash:large', ...range(1000, long).flatMap((it) => [it, it]));
  for (const [i, key] of ['expires', 'expires:hash', 'expires:list'].entries()) {
    await write('string', 'SET', key, String(i));
    await node.call('PEXPIRE', key, hour * (i + 1));
    written.expires++;
  }

  await write('stream', 'XADD', 'stream:plain', '*', 'field', 'value');
  await write('stream', 'XADD', 'stream:groups', '1-1', 'field', 'value');
  for (let i = 2; i < 300; i++) await node.call('XADD', 'stream:groups', `${i}-1`, 'field', long(i));
  await node.call('XDEL', 'stream:groups', '5-1', '299-1');
  for (const group of ['one', 'two']) await node.call('XGROUP', 'CREATE', 'stream:groups', group, '0');
  for (const [consumer, count] of [
    ['alice', 100],
    ['bob', 20],
  ] as const)
    await node.call('XREADGROUP', 'GROUP', 'one', consumer, 'COUNT', count, 'STREAMS', 'stream:groups', '>');
  await node.call('XACK', 'stream:groups', 'one', '1-1', '2-1');
  await node.call('XGROUP', 'CREATE', 'stream:empty', 'idle', '$', 'MKSTREAM');
  made('stream');

  if (atLeast(release, 7, 0)) {
    await node.call('FUNCTION', 'LOAD', "#!lua name=mine\nredis.register_function('f', function() return 1 end)");
    written.functions++;
  }
  if (hasFieldExpiry(release)) {
    await write('hash', 'HSET', 'hash:small expiring', 'a', '1', 'b', '2');
    await write('hash', 'HSET', 'hash:large expiring', ...range(600, (i) => `field ${i}`).flatMap((it) => [it, it]));
    for (const [key, field] of [
      ['hash:small expiring', 'a'],
      ['hash:large expiring', 'field 7'],
    ] as const) {
      await node.call('HPEXPIRE', key, hour, 'FIELDS', 1, field);
      written.hashesWithFieldExpiry++;
    }
  }

  database = 3;
  await node.call('SELECT', database);
  for (const name of range(500, String)) await write('string', 'SET', `other:${name}`, long(Number(name)));
  await node.call('SELECT', 0);
  return written;
}

/** Fields of hashes expire from Redis 7.4 on, and from Valkey 9.0. */
const hasFieldExpiry = (release: string): boolean =>
  release.startsWith('valkey-') ? !release.startsWith('valkey-8') : atLeast(release, 7, 4);
