import type { FollowTools, KeyCopy } from '../../../redis/follow/tools.js';

const readers: readonly (readonly [type: string, read: string, ...args: string[]])[] = [
  ['string', 'GET'],
  ['list', 'LRANGE', '0', '-1'],
  ['hash', 'HGETALL'],
  ['set', 'SMEMBERS'],
  ['zset', 'ZRANGE', '0', '-1', 'WITHSCORES'],
];

/** Copies a key without streams in it, read by its type: good enough to test who asks for copies, and when. */
export const copyByType: FollowTools['copyKey'] = async ({ primary, key, db, marginMs }): Promise<KeyCopy> => {
  const commands: (string | Buffer)[][] = [
    ['SELECT', String(db)],
    ['MULTI'],
    ['TYPE', key],
    ['PTTL', key],
    ['TIME'],
    ['INFO', 'replication'],
    ...readers.map(([, read, ...args]) => [read, key, ...args]),
    ['EXEC'],
  ];
  // A cluster knows no SELECT but that of 0.
  const replies = (await primary.pipeline(commands, { buffers: true })).at(-1) as [
    Buffer,
    number,
    [Buffer, Buffer],
    Buffer,
    ...(Buffer | Buffer[])[],
  ];
  if (!Array.isArray(replies)) throw new Error(`no transaction: ${String(replies)}`);
  const [type, left, time, info, ...values] = replies;
  const offset = Number(/master_repl_offset:(\d+)/.exec(info.toString())?.[1]);
  const out: Buffer[][] = [[Buffer.from('DEL'), key]];
  const at = readers.findIndex(([name]) => name === type.toString());
  const value = values[at];
  const add = (name: string, ...args: Buffer[]): number => out.push([Buffer.from(name), key, ...args]);
  if (Buffer.isBuffer(value)) add('SET', value);
  else if (value) {
    const pairs = type.toString() === 'zset' ? value.map((_, i) => value[i % 2 ? i - 1 : i + 1] as Buffer) : value;
    const name = { list: 'RPUSH', hash: 'HSET', set: 'SADD', zset: 'ZADD' }[type.toString()] ?? '';
    for (let from = 0; from < pairs.length; from += 1000) add(name, ...pairs.slice(from, from + 1000));
  }
  const now = Number(time[0]) * 1000 + Math.floor(Number(time[1]) / 1000);
  if (left > 0) add('PEXPIREAT', Buffer.from(String(now + left + marginMs)));
  return { offset, commands: out };
};
