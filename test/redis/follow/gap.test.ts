/** The primary no longer has what follows: everything is copied anew, and followed from there. */
import { expect, test } from 'vitest';
import { until } from '../../../scripts/sandbox/cluster.js';
import { everyType } from '../verify/every-type.js';
import { send } from '../verify/pair.js';
import { differences, Follower } from './followed.js';
import { Shard } from './shard.js';
import { TwoServers } from './two-servers.js';

const small = ['repl-backlog-size 1mb'];

test.each([
  ['8.0.6', '5.0.6'],
  ['valkey-9.1.2', '7.2.4'],
])('%s → %s: the backlog is overrun, in several databases', async (source, target) => {
  await using pair = await TwoServers.start(source, target, small);
  pair.follower.start();
  await send(pair.a.endpoint(), [
    ['SET', 'stays only here', 1],
    ['RPUSH', 'list:small', 'z'],
  ]);
  await pair.follower.drained();
  await pair.follower.end();
  await send(pair.a.endpoint(), [['DEL', 'stays only here'], ...everyType(), ['SELECT', 4], ...everyType()]);
  for (let i = 0; i < 30; i++) await pair.primary.call('SET', 'filler', 'x'.repeat(100_000));
  pair.follower.start();
  await pair.follower.drained();
  await send(pair.a.endpoint(), [
    ['RPUSH', 'list:small', 'b'],
    ['SELECT', 4],
    ['RPUSH', 'list:small', 'c'],
  ]);
  await pair.follower.drained();
  for (const db of [0, 4]) expect(await differences(pair.a.endpoint(), pair.b.endpoint(), { db })).toEqual([]);
  expect(pair.follower.state).toMatchObject({ copies: 1, gap: expect.stringContaining('backlog') as string });
});

test('the follower dies while it copies, again and again', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6', small);
  for (let at = 0; at < 200; at++)
    await pair.primary.call('RPUSH', `list:${at % 20}`, ...Array.from({ length: 2000 }, (_, i) => `${at}:${i}`));
  for (let turn = 0; turn < 4; turn++) {
    pair.follower.start();
    await until('it copies', async () => {
      const keys = Number(await pair.standby.call('DBSIZE'));
      return keys > turn;
    });
    await pair.follower.end();
  }
  pair.follower.start();
  await pair.follower.drained();
  expect(await differences(pair.a.endpoint(), pair.b.endpoint())).toEqual([]);
});

test('two followers that copy at once', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6', small);
  for (let at = 0; at < 100; at++)
    await pair.primary.call('RPUSH', `list:${at % 20}`, ...Array.from({ length: 2000 }, (_, i) => `${at}:${i}`));
  const other = new Follower(pair.follower.options).start();
  try {
    pair.follower.start();
    await pair.follower.drained();
    expect(await differences(pair.a.endpoint(), pair.b.endpoint())).toEqual([]);
  } finally {
    await other.end();
  }
});

test('in a cluster', async () => {
  await using shard = await Shard.start('8.0.6', '5.0.6');
  await shard.cluster.ask(shard.primary.address, 'CONFIG', 'SET', 'repl-backlog-size', 1 << 20);
  await send(shard.cluster.endpoint(), everyType());
  for (let i = 0; i < 30; i++) await send(shard.cluster.endpoint(), [['SET', 'filler', 'x'.repeat(100_000)]]);
  shard.follower.start();
  await shard.follower.drained();
  await send(shard.cluster.endpoint(), [['RPUSH', 'list:small', 'b']]);
  await shard.follower.drained();
  expect(await differences(shard.cluster.endpoint(), shard.standby, { asking: true })).toEqual([]);
  expect(shard.follower.state).toMatchObject({ copies: 1 });
});

test('a primary that has come back empty: the standby, the last copy, is not emptied for it', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6', small);
  const [node] = pair.a.nodes;
  if (!node) throw new Error('a node');
  pair.follower.start();
  await send(pair.a.endpoint(), [
    ['SET', 'a', 1],
    ['SET', 'b', 1],
  ]);
  await pair.follower.drained();
  await pair.a.kill(node);
  await pair.a.start(node);
  await until('it gives up', () => pair.follower.failure !== undefined);
  expect(pair.follower.failure).toMatchObject({ type: 'StandbyLost' });
  expect(await pair.standby.call('MGET', 'a', 'b')).toEqual(['1', '1']);
});

test('a primary that its clients have emptied while nobody followed: so is the standby', async () => {
  await using pair = await TwoServers.start('8.0.6', '5.0.6', small);
  pair.follower.start();
  await send(pair.a.endpoint(), [['SET', 'a', 1]]);
  await pair.follower.drained();
  await pair.follower.end();
  for (let i = 0; i < 30; i++) await send(pair.a.endpoint(), [['SET', 'filler', 'x'.repeat(100_000)]]);
  await send(pair.a.endpoint(), [['FLUSHALL']]);
  pair.follower.start();
  await pair.follower.drained();
  expect(pair.follower.state).toMatchObject({ copies: 1 });
  expect(await pair.standby.call('EXISTS', 'a', 'filler')).toBe(0);
});

test('functions, which no script can load', async () => {
  await using pair = await TwoServers.start('8.0.6', '7.0.15');
  pair.follower.start();
  const library = (n: number): string => `#!lua name=mine\nredis.register_function('f', function() return ${n} end)`;
  await pair.primary.call('FUNCTION', 'LOAD', library(1));
  await pair.primary.call('SET', 'a', 1);
  await pair.primary.call('FUNCTION', 'LOAD', 'REPLACE', library(2));
  await pair.follower.drained();
  expect(await pair.standby.call('FCALL', 'f', 0)).toBe(2);
  expect(pair.follower.state).toMatchObject({ notRepresentable: [] });
});
