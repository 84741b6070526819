import { expect, test } from 'vitest';
import { everyType, everyTypeKeys } from './every-type.js';
import { Pair } from './pair.js';

// The same data, reported as different because another version prints, orders or encodes it another way.
test.each([
  ['5.0.6', '8.0.6'],
  ['6.2', '8.2'],
  ['7.0', '7.4'],
  ['7.2', 'valkey-9.1'],
])('a %s primary and its %s replica hold the same', { timeout: 120_000 }, async (from, to) => {
  await using pair = await Pair.start(from, to);
  await pair.write(everyType());
  // Counting caches the result in the value's header, and reading one's history raises delivery counts: here only.
  await pair.synced();
  await pair.primary.call('PFCOUNT', 'hll:sparse');
  await pair.replica.call('PFCOUNT', 'hll:dense');
  await pair.primary.call('XREADGROUP', 'GROUP', 'readers', 'ana', 'STREAMS', 'stream:groups', '0');
  await pair.primary.call('XREADGROUP', 'GROUP', 'readers', 'idler', 'STREAMS', 'stream:groups', '>');
  const result = await pair.verify();
  expect(result).toMatchObject({ different: 0, examples: [], unsettled: 0, complete: true, keys: everyTypeKeys });
  expect(result.bytes).toBeGreaterThan(500_000);
});

test('a dump loaded with other encodings is still the same', async () => {
  await using pair = await Pair.start('7.2', '8.0.6');
  for (const [name, value] of [
    ['hash-max-listpack-entries', '1'],
    ['zset-max-listpack-entries', '1'],
    ['set-max-intset-entries', '1'],
    ['list-max-listpack-size', '2'],
    ['hll-sparse-max-bytes', '0'],
    ['stream-node-max-entries', '3'],
  ] as const)
    await pair.replica.call('CONFIG', 'SET', name, value);
  await pair.write(everyType());
  await pair.write(Array.from({ length: 50 }, (_, i) => ['PFADD', `hll:${i}`, 'a', `b${i}`]));
  await pair.synced();
  expect(await pair.replica.call('OBJECT', 'ENCODING', 'hash:small')).toBe('hashtable');
  expect(await pair.primary.call('OBJECT', 'ENCODING', 'hash:small')).toBe('listpack');
  expect(await pair.verify()).toMatchObject({ different: 0, examples: [], unsettled: 0, keys: everyTypeKeys + 50 });
});

test('several databases are compared, and only their own keys', async () => {
  await using pair = await Pair.start('5.0.6', '8.0.6');
  await pair.write([
    ['SET', 'k', 'zero'],
    ['SELECT', 3],
    ['SET', 'k', 'three'],
    ['SET', 'l', 'three'],
  ]);
  expect(await pair.verify()).toMatchObject({ different: 0, keys: 3 });
  await pair.tamper([
    ['SELECT', 3],
    ['SET', 'k', 'zero'],
    ['SELECT', 5],
    ['SET', 'extra', 'x'],
  ]);
  const { examples, different } = await pair.verify();
  expect(different).toBe(2);
  expect(examples.map(({ key }) => key).sort()).toEqual(['extra (db 5)', 'k (db 3)']);
});

// A type that only a module understands: saying that it is the same would be a guess.
test('a vector set is named as not comparable; its presence and expiry are compared', async () => {
  await using pair = await Pair.start('8.0.6', '8.0.6');
  await pair.write([
    ['VADD', 'vectors', 'VALUES', 2, 1, 0.5, 'a'],
    ['VADD', 'expiring', 'VALUES', 2, 1, 0.5, 'a'],
    ['EXPIRE', 'expiring', 1000],
    ['SET', 'k', 1],
  ]);
  expect(await pair.verify()).toMatchObject({ keys: 3, different: 0, notComparable: { vectorset: 2 } });
  await pair.tamper([
    ['DEL', 'vectors'],
    ['PERSIST', 'expiring'],
  ]);
  expect((await pair.verify()).examples.map(({ key }) => key).sort()).toEqual(['expiring', 'vectors']);
});
