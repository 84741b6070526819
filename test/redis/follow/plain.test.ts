/** One server followed into an older one outside of a cluster: all databases, every command once. */
import { expect, test } from 'vitest';
import { until } from '../../../scripts/sandbox/cluster.js';
import { everyType } from '../verify/every-type.js';
import { send } from '../verify/pair.js';
import { EXPIRY_MARGIN_MS } from '../../../redis/standby/point.js';
import { differences, Follower } from './followed.js';
import { TwoServers } from './two-servers.js';
import { thoroughly } from '../../thorough.js';

test.each([
  ['8.0.6', '5.0.6'],
  ['8.2.3', '6.2.14'],
  ['valkey-9.1.2', '7.2.4'],
  ['7.0.15', '5.0.6'],
  ['8.0.6', '7.0.15'],
])('%s → %s: every type, in several databases', async (source, target) => {
  await using pair = await TwoServers.start(source, target);
  const [primary, standby] = [pair.a.endpoint(), pair.b.endpoint()];
  pair.follower.start();
  await send(primary, everyType());
  await send(primary, [
    ['SELECT', 3],
    ['SET', 'in three', 1, 'EX', 100],
    ['SELECT', 5],
    ['RPUSH', 'in five', 'a', 'b'],
    ['SELECT', 3],
    ['MULTI'],
    ['INCR', 'n'],
    ['SELECT', 5],
    ['LPOP', 'in five'],
    ['EXEC'],
    ['SWAPDB', 0, 5],
    ['SELECT', 0],
    ['RPUSH', 'in five', 'c'],
    ['SWAPDB', 0, 5],
    ['SELECT', 7],
    ['SET', 'x', 1],
    ['FLUSHDB'],
    ['SET', 'y', 1],
  ]);
  await pair.follower.drained();
  for (const db of [0, 3, 5, 7]) expect(await differences(primary, standby, { db })).toEqual([]);
  expect(pair.follower.state).toMatchObject({ notRepresentable: [], dirty: 0 });
  expect(await pair.primary.call('DBSIZE')).toBe(Number(await pair.standby.call('DBSIZE')) - 1);
  await send(primary, [['FLUSHALL'], ['SET', 'after', 1]]);
  await pair.follower.drained();
  expect(await differences(primary, standby)).toEqual([]);
  expect(await pair.standby.call('DBSIZE')).toBe(2);
});

test('a follower that is ended in the middle of batches, again and again: no INCR counts twice', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6');
  const writing = (async () => {
    for (let round = 0; round < 400; round++)
      await pair.primary.pipeline(
        Array.from({ length: 200 }, (_, i) =>
          i % 4 === 3 ? ['RPUSH', `list:${i % 50}`, `${round}:${i}`] : ['INCR', `counter:${i % 50}`],
        ),
      );
  })();
  for (let turn = 0; turn < 25; turn++) {
    const before = pair.follower.state?.offset ?? 0;
    pair.follower.start();
    await until('some are applied', () => (pair.follower.state?.offset ?? 0) > before || turn > 15);
    await pair.follower.end();
  }
  await writing;
  pair.follower.start();
  await pair.follower.drained();
  expect(await differences(pair.a.endpoint(), pair.b.endpoint())).toEqual([]);
});

test('two followers at once do no harm', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6');
  const other = new Follower(pair.follower.options).start();
  try {
    pair.follower.start();
    for (let round = 0; round < 100; round++)
      await pair.primary.pipeline(Array.from({ length: 100 }, (_, i) => ['INCR', `counter:${i % 7}`]));
    await pair.follower.drained();
    expect(await differences(pair.a.endpoint(), pair.b.endpoint())).toEqual([]);
  } finally {
    await other.end();
  }
});

test('a command that fails at the standby alone: its key is copied, and what read it', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6');
  await pair.standby.call('SET', 'list', 'not a list');
  pair.follower.start();
  await send(pair.a.endpoint(), [
    ['RPUSH', 'list', 'a', 'b', 'c'],
    ['RPOPLPUSH', 'list', 'other'],
    ['SUNIONSTORE', 'unrelated', 'none'],
    ...Array.from({ length: 2000 }, (_, i) => ['RPUSH', 'list', i] as const),
    ['RENAME', 'other', 'third'],
    ['SET', 'plain', 1],
  ]);
  await pair.follower.drained();
  expect(await differences(pair.a.endpoint(), pair.b.endpoint())).toEqual([]);
  // What is told lags behind what is done.
  await until('a key was copied again', () => Promise.resolve((pair.follower.state?.recopied ?? 0) > 0));
});

test('what the standby lacks, or has already: it is copied, and nobody waits for it to pass', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6');
  await send(pair.a.endpoint(), [
    ['SET', 'renewed', 1, 'EX', 500],
    ['SET', 'kept', 1, 'EX', 500],
    ['XADD', 'stream', '1-1', 'a', 'b'],
  ]);
  pair.follower.start();
  await pair.follower.drained();
  await send(pair.b.endpoint(), [
    ['DEL', 'renewed', 'kept'],
    ['XGROUP', 'CREATE', 'stream', 'group', '0'],
  ]);
  await send(pair.a.endpoint(), [
    ['EXPIRE', 'renewed', 700],
    ['PERSIST', 'kept'],
    ['XGROUP', 'CREATE', 'stream', 'group', '1-1'],
  ]);
  await pair.follower.drained();
  expect(await differences(pair.a.endpoint(), pair.b.endpoint())).toEqual([]);
  expect(await pair.standby.call('MGET', 'renewed', 'kept')).toEqual(['1', '1']);
});

test('COPY into another database leaves the one that is written to', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6');
  pair.follower.start();
  await send(pair.a.endpoint(), [
    ['SELECT', 2],
    ['MULTI'],
    ['INCR', 'n'],
    ['COPY', 'n', 'copy', 'DB', 3],
    ['INCR', 'n'],
    ['EXEC'],
  ]);
  await pair.follower.drained();
  for (const db of [0, 2, 3]) expect(await differences(pair.a.endpoint(), pair.b.endpoint(), { db })).toEqual([]);
});

test('a key that the standby can’t hold, put where it has another', async () => {
  await using pair = await TwoServers.start('8.2.3', '5.0.6');
  pair.follower.start();
  await send(pair.a.endpoint(), [
    ['SET', 'renamed', 'before'],
    ...['a', 'b', 'c', 'd'].map((it) => ['VADD', it, 'VALUES', 2, 1, 2, 'm'] as const),
    ['RENAME', 'a', 'renamed'],
    ['EXPIRE', 'b', 500],
    ['MOVE', 'c', 5],
    ['RENAMENX', 'd', 'e'],
    ['SET', 'b', 'after', 'EX', 500],
    ['EXPIRE', 'b', 700],
  ]);
  await pair.follower.drained();
  expect(await pair.standby.call('EXISTS', 'renamed', 'a', 'c', 'd', 'e')).toBe(0);
  expect(await pair.standby.call('PTTL', 'b')).toBeGreaterThan(EXPIRY_MARGIN_MS + 600_000);
});

test('a key that is copied again and again while it is written to', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6');
  pair.follower.start();
  // 5.0 has no BYBOX: the follower copies what it stores.
  await send(pair.a.endpoint(), [['GEOADD', 'places', 13.36, 38.11, 'Palermo', 15.08, 37.5, 'Catania']]);
  for (let round = 0; round < 200; round++)
    await send(pair.a.endpoint(), [
      ['GEOSEARCHSTORE', `near:${round % 3}`, 'places', 'FROMLONLAT', 15, 37, 'BYBOX', 400, 400, 'km'],
      ['ZADD', `near:${round % 3}`, round, `member ${round}`],
      ['ZINCRBY', `near:${round % 3}`, 1, `member ${round}`],
      ['ZUNIONSTORE', 'all', 3, 'near:0', 'near:1', 'near:2'],
      ['INCR', 'plain'],
    ]);
  await pair.follower.drained();
  expect(await differences(pair.a.endpoint(), pair.b.endpoint())).toEqual([]);
  // What is told lags behind what is done.
  await until('a key was copied again', () => Promise.resolve((pair.follower.state?.recopied ?? 0) > 0));
});

test('the standby is killed and started again from its file: what came after is applied again, and once', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6');
  const [node] = pair.b.nodes;
  if (!node) throw new Error('a node');
  pair.follower.start();
  const write = (): Promise<unknown> =>
    pair.primary.pipeline(Array.from({ length: 500 }, (_, i) => ['INCR', `counter:${i % 11}`]));
  await write();
  await pair.follower.drained();
  await pair.standby.call('SAVE');
  await write();
  await pair.follower.drained();
  await pair.b.kill(node);
  await write();
  await pair.b.start(node);
  await write();
  await pair.follower.drained();
  expect(await differences(pair.a.endpoint(), pair.b.endpoint())).toEqual([]);
});

thoroughly(
  'a value of 100 MB, a hash of a million fields, a stream with much pending, commands of very many arguments, binary keys',
  async () => {
    await using pair = await TwoServers.start('8.0.6', '5.0.6');
    pair.follower.start();
    const many = (count: number, each: (i: number) => string): string[] =>
      Array.from({ length: count }, (_, i) => each(i));
    await pair.primary.call('SET', 'large', Buffer.alloc(100 << 20, 'x'));
    await pair.primary.call('SETRANGE', 'large', 5, 'changed');
    for (let at = 0; at < 1_000_000; at += 10_000)
      await pair.primary.call('HSET', 'hash', ...many(10_000, (i) => `field ${at + i}`).flatMap((it) => [it, it]));
    for (let at = 0; at < 20_000; at += 1000)
      await send(
        pair.a.endpoint(),
        many(1000, (i) => String(at + i + 1)).map((id) => ['XADD', 'stream', `${id}-1`, 'n', id] as const),
      );
    await send(pair.a.endpoint(), [
      ['XGROUP', 'CREATE', 'stream', 'group', '0'],
      ...many(3, (i) => `consumer ${i}`).map(
        (it) => ['XREADGROUP', 'GROUP', 'group', it, 'COUNT', 5000, 'STREAMS', 'stream', '>'] as const,
      ),
      ['XACK', 'stream', 'group', ...many(1000, (i) => `${3 * i + 1}-1`)],
      ['XCLAIM', 'stream', 'group', 'consumer 2', 0, ...many(500, (i) => `${3 * i + 2}-1`)],
      ['XDEL', 'stream', ...many(500, (i) => `${7 * i + 3}-1`)],
    ]);
    await pair.primary.call('RPUSH', 'list', ...many(30_000, String));
    await pair.primary.call('DEL', ...many(20_000, (i) => `none ${i}`), 'list');
    await pair.primary.call('RPUSH', 'list', ...many(20_001, String));
    await pair.primary.call('ZADD', 'scores', 'NX', ...many(20_000, String).flatMap((it) => [it, `m${it}`]));
    const binary = Buffer.from([0, 13, 10, 0xff, 0xfe, 0x80, 0, 0x7b, 0x7d]);
    await pair.primary.call('SET', binary, binary);
    await pair.primary.call('SET', Buffer.alloc(0), 'empty');
    await pair.follower.drained(110_000);
    expect(await differences(pair.a.endpoint(), pair.b.endpoint())).toEqual([]);
  },
  480_000,
);

test('the backlog no longer reaches back: everything is copied anew, what the standby can’t hold is named, and it goes on', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6', ['repl-backlog-size 16kb']);
  await pair.standby.call('SET', 'stray', 'to go');
  await send(pair.a.endpoint(), everyType());
  await send(pair.a.endpoint(), [
    ...Array.from({ length: 5000 }, (_, i) => ['SET', `key:${i}`, 'x'.repeat(100), 'EX', 500] as const),
    ['HSET', 'fields', 'a', 1, 'b', 2],
    ['HPEXPIRE', 'fields', 900_000, 'FIELDS', 1, 'a'],
  ]);
  pair.follower.start();
  await pair.follower.drained();
  await send(pair.a.endpoint(), [['INCR', 'afterwards']]);
  await pair.follower.drained();
  expect(await differences(pair.a.endpoint(), pair.b.endpoint())).toEqual([]);
  await until('it is told', () => Promise.resolve(pair.follower.state?.class === 'lossless-except'));
  expect(pair.follower.state).toMatchObject({ copies: 1, phase: 'following' });
  expect(pair.follower.state?.notRepresentable.flatMap(({ examples }) => examples)).toContain('fields');
});

test('killed while everything is copied anew: it begins again, and ends the same', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6', ['repl-backlog-size 16kb']);
  await send(
    pair.a.endpoint(),
    Array.from({ length: 60_000 }, (_, i) => ['SET', `key:${i}`, 'x'.repeat(100)]),
  );
  pair.follower.start();
  await until('it copies', () => Promise.resolve(pair.follower.state?.phase === 'copying'));
  await pair.follower.end();
  pair.follower.start();
  await pair.follower.drained();
  expect(await differences(pair.a.endpoint(), pair.b.endpoint())).toEqual([]);
});
