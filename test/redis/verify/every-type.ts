import type { Command } from '../../../redis/resp.js';

const many = (count: number, each: (i: number) => Command): Command[] =>
  Array.from({ length: count }, (_, i) => each(i));

/** Every type in each of its encodings, small and large, with the names and values that trip a careless reader. */
export function everyType(): Command[] {
  const binary = Buffer.from([0, 13, 10, 0xff, 0xfe, 0x80, 0]);
  return [
    ['SET', 'string:int', '12345'],
    ['SET', 'string:embstr', 'hello'],
    ['SET', 'string:empty', ''],
    ['SET', 'string:binary', binary],
    ['SET', binary, 'a binary name'],
    ['SET', Buffer.alloc(0), 'an empty name'],
    ['SET', 'a name with spaces\r\n', 'x'],
    ['SET', 'string:exactly one piece', 'p'.repeat(16 * 1024)],
    ['SET', 'string:100kB', 'q'.repeat(100_000)],
    ['SET', 'string:expires', 'x', 'PX', 1_000_000],
    ['RPUSH', 'list:small', 'a', '', 'a', '1', binary],
    ['RPUSH', 'list:long elements', ...Array.from({ length: 40 }, (_, i) => `${i}`.repeat(5000))],
    ...many(3000, (i) => ['RPUSH', 'list:large', `element ${i}`]),
    ['SADD', 'set:ints', 1, 2, 3, 500_000],
    ['SADD', 'set:small', 'a', '', binary],
    ...many(3000, (i) => ['SADD', 'set:large', `member ${i}`]),
    ...many(1000, (i) => ['SADD', 'set:large ints', i * 7]),
    ['HSET', 'hash:small', 'field', 'value', '', 'empty name', 'empty value', '', binary, binary],
    ['HSET', 'hash:one large value', 'f', 'v'.repeat(200_000)],
    ...many(3000, (i) => ['HSET', 'hash:large', `field ${i}`, `value ${i}`]),
    ['ZADD', 'zset:small', 0.1, 'tenth', 1e300, 'huge', '-inf', 'least', '+inf', 'most', 3, binary, 1 / 3, 'third'],
    ...many(3000, (i) => ['ZADD', 'zset:large', i / 7, `member ${i}`]),
    ['PFADD', 'hll:sparse', 'a', 'b', 'c'],
    ...many(5000, (i) => ['PFADD', 'hll:dense', `visitor ${i}`]),
    ['SETBIT', 'bitmap', 100_000, 1],
    ['GEOADD', 'geo', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania'],
    ...many(1200, (i) => ['XADD', 'stream:large', `${i + 1}-1`, 'n', i, binary, '']),
    ['XADD', 'stream:groups', '5-1', 'a', 'b'],
    ['XADD', 'stream:groups', '5-2', 'a', 'b'],
    ['XADD', 'stream:groups', '6-1', 'c', 'd'],
    ['XDEL', 'stream:groups', '6-1'],
    ['XGROUP', 'CREATE', 'stream:groups', 'readers', '0'],
    ['XREADGROUP', 'GROUP', 'readers', 'ana', 'COUNT', 1, 'STREAMS', 'stream:groups', '>'],
    ['XREADGROUP', 'GROUP', 'readers', 'ben', 'COUNT', 1, 'STREAMS', 'stream:groups', '>'],
    ['XADD', 'stream:emptied', '7-7', 'a', 'b'],
    ['XDEL', 'stream:emptied', '7-7'],
    ...many(2000, (i): Command => (i % 2 ? ['SET', `key:${i}`, i] : ['SET', `key:${i}`, i, 'EX', 500])),
  ];
}

/** Keys that `everyType` writes. */
export const everyTypeKeys = new Set(
  everyType().map(([, first, second]) =>
    String(first === 'CREATE' || first === 'GROUP' ? (second === 'readers' ? 'stream:groups' : second) : first),
  ),
).size;
