import { expect, test } from 'vitest';
import type { Command } from '../../../redis/resp.js';
import { everyType } from './every-type.js';
import { Pair } from './pair.js';

/** One thing gone wrong on the replica each, and what a person must be told about it. */
const faults: [Command[], string, RegExp][] = [
  [[['SET', 'string:embstr', 'hellO']], 'string:embstr', /string: 5 bytes on the primary, other 5 bytes/],
  [[['SETRANGE', 'string:100kB', 99_999, 'x']], 'string:100kB', /string: bytes 0–524287 differ/],
  [[['DEL', 'key:1']], 'key:1', /missing on the replica \(a string on the primary\)/],
  [[['SET', 'not on the primary', 1]], 'not on the primary', /only on the replica \(a string\)/],
  [
    [
      ['DEL', 'set:ints'],
      ['RPUSH', 'set:ints', 1, 2, 3],
    ],
    'set:ints',
    /a set on the primary, a list on the replica/,
  ],
  [
    [
      ['LSET', 'list:small', 0, ''],
      ['LSET', 'list:small', 1, 'a'],
    ],
    'list:small',
    /list: element 0 differs/,
  ],
  [[['LSET', 'list:large', 2500, 'x']], 'list:large', /list: elements 2000–2999 differ/],
  [[['ZADD', 'zset:small', 0.10000000000000002, 'tenth']], 'zset:small', /zset: member tenth differs$/],
  [[['ZADD', 'zset:large', 1, 'member 2999']], 'zset:large', /zset: member member 2999 differs$/],
  [
    [
      ['SREM', 'set:large', 'member 7'],
      ['SADD', 'set:large', 'member seven'],
    ],
    'set:large',
    /set: member .* \(and 1 more\)/,
  ],
  [[['HSET', 'hash:large', 'field 5', 'Value 5']], 'hash:large', /hash: field field 5 differs$/],
  [[['HDEL', 'hash:small', 'field']], 'hash:small', /hash: field field differs$/],
  [[['PFADD', 'hll:dense', 'somebody']], 'hll:dense', /string: 12304 bytes/],
  [[['XACK', 'stream:groups', 'readers', '5-2']], 'stream:groups', /stream: group readers: pending entries differ/],
  [[['XSETID', 'stream:emptied', '9-9']], 'stream:emptied', /stream: the last id differ/],
  [[['XDEL', 'stream:large', '700-1']], 'stream:large', /stream: entries from .* differ/],
  [[['PERSIST', 'key:2']], 'key:2', /expires 20.* on the primary, never on the replica/],
  [[['EXPIRE', 'key:3', 500]], 'key:3', /expires never on the primary, 20.* on the replica/],
  [[['EXPIRE', 'key:4', 400]], 'key:4', /expires 20.* on the primary, 20.* on the replica/],
];

// A replica that was released although it had lost a write.
test.each([
  ['5.0.6', '8.0.6'],
  ['7.2', 'valkey-9.1'],
])('each single divergence of a %s → %s pair is found and named', { timeout: 120_000 }, async (from, to) => {
  await using pair = await Pair.start(from, to);
  await pair.write([...everyType(), ['SADD', 'big set', ...Array.from({ length: 2000 }, (_, i) => `m${i}`)]]);
  // PFADD of a new visitor may leave the registers as they are; this one is known to change one.
  const wide: Command = ['PFADD', 'hll:dense', ...Array.from({ length: 3000 }, (_, i) => `other ${i}`)];
  await pair.tamper(faults.flatMap(([commands, key]) => (key === 'hll:dense' ? [wide] : commands)));
  const { examples, different, unsettled } = await pair.verify();
  const found = new Map(examples.map(({ key, what }) => [key, what]));
  for (const [, key, what] of faults) expect(found.get(key), key).toMatch(what);
  expect([different, found.size, unsettled]).toEqual([faults.length, faults.length, 0]);
});

test(
  'one field among 300,000, one byte of 20 MB and one expiry just past the tolerance are found',
  { timeout: 60_000 },
  async () => {
    await using pair = await Pair.start('5.0.6', '8.0.6');
    const fields = Array.from({ length: 300 }, (_, i): Command => [
      'HSET',
      'huge',
      ...Array.from({ length: 2000 }, (_, j) => (j % 2 ? `value ${j}` : `field ${i * 1000 + j / 2}`)),
    ]);
    const value = Buffer.alloc(20 * 1024 * 1024, 'abcdefg');
    await pair.write([
      ...fields,
      ['SET', 'twenty', value],
      ['SET', 'near', 1, 'PX', 900_000],
      ['SET', 'far', 1, 'PX', 900_000],
    ]);
    const clean = await pair.verify();
    expect(clean).toMatchObject({ different: 0, unsettled: 0, keys: 4 });
    expect(clean.bytes).toBeGreaterThan(value.length);
    await pair.write([
      ['PEXPIRE', 'near', 900_000],
      ['PEXPIRE', 'far', 900_000],
    ]);
    await pair.tamper([
      ['HSET', 'huge', 'field 123456', 'another'],
      ['SETRANGE', 'twenty', 15_000_000, 'X'],
      ['PEXPIRE', 'near', 901_000],
      ['PEXPIRE', 'far', 960_000],
    ]);
    // `near` is about a second and the milliseconds between the two writes away: inside of 30 s, outside of 0.5 s.
    const { examples, ttlDriftMs } = await pair.verify({ ttlToleranceMs: 30_000 });
    expect(examples.map(({ key, what }) => `${key}: ${what}`).sort()).toEqual([
      expect.stringMatching(/^far: expires/),
      'huge: hash: field field 123456 differs',
      'twenty: string: bytes 14680064–15204351 differ',
    ]);
    expect(ttlDriftMs).toBeGreaterThan(55_000);
    expect((await pair.verify({ ttlToleranceMs: 500 })).examples.map(({ key }) => key)).toContain('near');
  },
);

test('the expiry of a hash field and the code of a function are compared', async () => {
  await using pair = await Pair.start('7.4', '8.0.6');
  await pair.write([
    ['HSET', 'h', 'a', 1, 'b', 2],
    ['HPEXPIRE', 'h', 1_000_000, 'FIELDS', 1, 'a'],
    ...Array.from({ length: 1000 }, (_, i): Command => ['HSET', 'large', `f${i}`, i]),
    ['HPEXPIRE', 'large', 1_000_000, 'FIELDS', 1, 'f500'],
    ['FUNCTION', 'LOAD', Buffer.from("#!lua name=orders\nredis.register_function('f', function() return 1 end)")],
    ['FUNCTION', 'LOAD', Buffer.from("#!lua name=same\nredis.register_function('g', function() return 1 end)")],
  ]);
  expect(await pair.verify()).toMatchObject({ different: 0, functions: 2 });
  await pair.tamper([
    ['HPERSIST', 'h', 'FIELDS', 1, 'a'],
    ['HPEXPIRE', 'large', 900_000, 'FIELDS', 1, 'f500'],
    [
      'FUNCTION',
      'LOAD',
      'REPLACE',
      Buffer.from("#!lua name=orders\nredis.register_function('f', function() return 2 end)"),
    ],
  ]);
  const { examples, different } = await pair.verify();
  expect(different).toBe(3);
  expect(Object.fromEntries(examples.map(({ key, what }) => [key, what]))).toEqual({
    h: 'hash: the expiry of field a differs',
    large: 'hash: field f500 differs',
    orders: 'function library: its code differs',
  });
});

test('a replica that is another dataset altogether ends the comparison early, and says so', async () => {
  await using pair = await Pair.start('8.0.6', '8.0.6');
  await pair.write(Array.from({ length: 5000 }, (_, i) => ['SET', `key:${i}`, i]));
  await pair.tamper([['FLUSHALL']]);
  const result = await pair.verify();
  expect(result).toMatchObject({
    complete: false,
    statement: expect.stringContaining('the rest was not compared') as string,
  });
  expect(result.different).toBeGreaterThanOrEqual(1000);
  expect(result.examples).toHaveLength(100);
});

test('a sample finds what is all over the place, and draws no key twice', async () => {
  await using pair = await Pair.start('5.0.6', '8.0.6');
  await pair.write(Array.from({ length: 30_000 }, (_, i) => ['SET', `key:${i}`, i]));
  expect(await pair.verify({ mode: 'sample' })).toMatchObject({ different: 0, keys: 10_000 });
  await pair.tamper(Array.from({ length: 300 }, (_, i) => ['SET', `key:${i * 100}`, 'other']));
  const { different } = await pair.verify({ mode: 'sample' });
  expect(different).toBeGreaterThan(10);
  expect(different).toBeLessThanOrEqual(300);
});
