import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { NodeConnection } from '../../../redis/connection.js';

// Names, sizes and types that a comparison, a snapshot or a configuration line may trip over.
const FIELDS = 1_000_000;
/** A script that runs for longer than the node timeout would cost the node its role. */
const FIELDS_AT_ONCE = 10_000;
const MEGABYTE = 1024 * 1024;
const BIG = 100;
const LIFE_MS = 3_600_000;

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const names = {
  everyByte,
  lines: Buffer.from('a\r\nb\n$3\r\nfoo\r\n*1'),
  brace: Buffer.from('{}open{'),
  none: Buffer.from(''),
  long: Buffer.alloc(60_000, 'k'),
};

const library = `#!lua name=shop
redis.register_function('price', function(keys, args) return {keys[1], args[1]} end)`;

const fillHash = `for i = ARGV[1], ARGV[2] do redis.call('HSET', KEYS[1], 'field:' .. i, 'value:' .. i * 7) end`;
const bigString = `return redis.call('SET', KEYS[1], string.rep(ARGV[1], ARGV[2]))`;
const fillLog = `for i = 1, 20000 do redis.call('PFADD', KEYS[1], 'visitor:' .. i) end`;

/** Writes them all at a primary of 7.0 or newer that owns every slot. */
export async function writeOddKeys(primary: NodeConnection): Promise<void> {
  const replies = await primary.pipeline([
    ['FUNCTION', 'LOAD', library],
    ...Object.values(names).map((name, i) => ['SET', name, Buffer.concat([everyByte, Buffer.from(`${i}`)])] as const),
    ['SET', 'empty', ''],
    ['HSET', 'empty fields', '', 'value', 'field', ''],
    ['RPUSH', 'empty elements', '', 'b', ''],
    ['SET', 'soon:1', 'gone', 'PX', 1500],
    ['HSET', 'soon:2', 'gone', 'too'],
    ['PEXPIRE', 'soon:2', 4000],
    ['SET', 'later', 'still here', 'PX', LIFE_MS],
    ['EXPIREAT', 'empty fields', 4_000_000_000],
    ['PFADD', 'visitors:few', 'a', 'b', 'c'],
    ['EVAL', fillLog, 1, 'visitors:many'],
    ['SETBIT', 'bits', 1_000_000, 1],
    ['GEOADD', 'places', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania'],
    ['ZADD', 'scores', '-inf', 'least', '0.1', 'tenth', '1e308', 'large', '+inf', 'most', '-0', 'zero'],
    ['RPUSH', 'uneven', Buffer.alloc(3 * MEGABYTE, 'x'), ...Array.from({ length: 3000 }, (_, i) => i)],
    ...Array.from({ length: 60 }, (_, i) => ['XADD', 'orders', `${i + 1}-1`, 'n', i] as const),
    ['XDEL', 'orders', '3-1', '60-1'],
    ['XGROUP', 'CREATE', 'orders', 'packers', '0'],
    ['XGROUP', 'CREATE', 'orders', 'late', '$'],
    ['XREADGROUP', 'GROUP', 'packers', 'ana', 'COUNT', 20, 'STREAMS', 'orders', '>'],
    ['XREADGROUP', 'GROUP', 'packers', 'ben', 'COUNT', 10, 'STREAMS', 'orders', '>'],
    ['XACK', 'orders', 'packers', '1-1', '2-1', '25-1'],
    ['XCLAIM', 'orders', 'packers', 'ben', 0, '5-1', 'RETRYCOUNT', 7],
    ['XGROUP', 'CREATE', 'nothing yet', 'readers', '$', 'MKSTREAM'],
  ]);
  expect(replies.filter((it) => it instanceof Error)).toEqual([]);
  for (let at = 0; at < FIELDS; at += FIELDS_AT_ONCE)
    await primary.call('EVAL', fillHash, 1, 'million', at, at + FIELDS_AT_ONCE - 1);
  await primary.call('EVAL', bigString, 1, 'hundred megabytes', randomBytes(MEGABYTE), BIG);
}

/** All of them as one node has them: read here command by command, by nothing of the product's own comparison. */
export async function readOddKeys(node: NodeConnection): Promise<Record<string, string>> {
  await node.call('READONLY');
  const found: Record<string, string> = {};
  for (const key of await scan(node)) found[key.toString('latin1').slice(0, 400)] = await digest(node, key);
  const code = await node.callBuffer('FUNCTION', 'LIST', 'WITHCODE');
  return { ...found, '(functions)': hashOf(code) };
}

/** Keys of the test's own clients begin so, and are none of these. */
export const isOfClients = (key: string): boolean => /^(\{client\}|redis-rollout:)/.test(key);

async function scan(node: NodeConnection): Promise<Buffer[]> {
  const keys: Buffer[] = [];
  for (let cursor = '0'; ;) {
    const [next, some] = (await node.callBuffer('SCAN', cursor, 'COUNT', 1000)) as [Buffer, Buffer[]];
    keys.push(...some.filter((key) => !isOfClients(key.toString('latin1'))));
    cursor = next.toString();
    if (cursor === '0') return keys.sort((a, b) => Buffer.compare(a, b));
  }
}

async function digest(node: NodeConnection, key: Buffer): Promise<string> {
  const [type, expires] = [String(await node.call('TYPE', key)), Number(await node.call('PEXPIRETIME', key))];
  return `${type} until ${expires}: ${await valueOf(node, key, type)}`;
}

async function valueOf(node: NodeConnection, key: Buffer, type: string): Promise<string> {
  const read = (command: string, ...args: (string | number | Buffer)[]) => node.callBuffer(command, key, ...args);
  if (key.toString().startsWith('visitors:')) return `about ${Number(await node.call('PFCOUNT', key))}`;
  if (type === 'string') return bytesOf(node, key);
  if (key.toString() === 'million') return everyField(node, key);
  if (type === 'list') return hashOf(await read('LRANGE', 0, -1));
  // Releases print the same score differently: 1e+308, 1e308.
  if (type === 'zset')
    return hashOf(
      pairs((await read('ZRANGE', 0, -1, 'WITHSCORES')) as Buffer[]).map(([name, at]) => [name, Number(at)]),
    );
  if (type === 'hash') return hashOf(await read('HGETALL'));
  if (type !== 'stream') throw new Error(`${type} ${key.toString('latin1')} is none of the odd keys`);
  const groups = (await node.callBuffer('XINFO', 'GROUPS', key)) as Buffer[][];
  const pending: unknown[] = [];
  for (const group of groups) {
    const fields = Object.fromEntries(pairs(group));
    const name = String(fields['name']);
    const entries = (await read('XPENDING', name, '-', '+', 1000)) as unknown[][];
    // How long an entry has been idle grows by itself.
    pending.push(
      name,
      String(fields['last-delivered-id']),
      entries.map(([id, owner, , count]) => [id, owner, count]),
    );
  }
  return hashOf([await read('XRANGE', '-', '+'), pending]);
}

const pairs = (list: readonly unknown[]): [string, unknown][] =>
  list.flatMap((name, i): [string, unknown][] => (i % 2 === 0 ? [[String(name), list[i + 1]]] : []));

async function bytesOf(node: NodeConnection, key: Buffer): Promise<string> {
  const hash = createHash('sha256');
  const length = Number(await node.call('STRLEN', key));
  for (let at = 0; at < length; at += 4 * MEGABYTE)
    hash.update((await node.callBuffer('GETRANGE', key, at, at + 4 * MEGABYTE - 1)) as Buffer);
  return `${length} bytes ${hash.digest('hex')}`;
}

/** Every field by its number: a scan may give one twice, and none may be missing. */
async function everyField(node: NodeConnection, key: Buffer): Promise<string> {
  const seen = new Uint8Array(FIELDS);
  for (let cursor = '0'; ;) {
    const [next, reply] = (await node.callBuffer('HSCAN', key, cursor, 'COUNT', 2000)) as [Buffer, Buffer[]];
    for (let i = 0; i < reply.length; i += 2) {
      const n = Number(reply[i]?.toString('latin1').slice('field:'.length));
      if (reply[i + 1]?.toString('latin1') === `value:${n * 7}`) seen[n] = 1;
    }
    cursor = next.toString();
    if (cursor === '0') break;
  }
  return `${Number(await node.call('HLEN', key))} fields, ${seen.reduce((sum, it) => sum + it, 0)} as written`;
}

function hashOf(reply: unknown): string {
  const hash = createHash('sha256');
  const feed = (part: unknown): void => {
    if (Buffer.isBuffer(part)) hash.update(`$${part.length}:`).update(part);
    else if (Array.isArray(part)) {
      hash.update(`*${part.length}:`);
      for (const inner of part) feed(inner);
    } else hash.update(`:${String(part)}:`);
  };
  feed(reply);
  return hash.digest('hex');
}
