/** Values that are too large to be held, or to be sent in one command. */
import { expect, test } from 'vitest';
import { type CopyProgress, copyAll } from '../../../redis/copy/copy-all.js';
import { copyKey } from '../../../redis/copy/copy-key.js';
import { attach } from '../../../redis/replication/client.js';
import type { Command } from '../../../redis/resp.js';
import { Pipe } from '../../../redis/verify/pipe.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { send } from '../verify/pair.js';
import { applyTo, differences, type Place, sameStreams } from './copied.js';
import { thoroughly } from '../../thorough.js';

const commands = (count: number, each: (i: number) => Command): Command[] =>
  Array.from({ length: count }, (_, i) => each(i));
const hundred = <T>(each: (i: number) => T[]): T[] => Array.from({ length: 100 }, (_, i) => each(i)).flat();

const largeValues: Command[] = [
  ['SETRANGE', 'string:100 MB', 100_000_000, 'its end'],
  ...commands(100, (i) => ['SETRANGE', 'string:100 MB', i * 999_983, `piece ${i}`]),
  ...commands(10_000, (i) => ['HSET', 'hash:1M', ...hundred((n) => [`field ${i * 100 + n}`, `value ${n}`])]),
  ...commands(2000, (i) => ['ZADD', 'zset:200k', ...hundred((n) => [i * 100 + n + 0.5, `member ${i * 100 + n}`])]),
  ...commands(2000, (i) => ['RPUSH', 'list:200k', ...hundred((n) => [`element ${i * 100 + n}`])]),
  ['RPUSH', 'list:long elements', 'a'.repeat(3_000_000), 'b', 'c'.repeat(600_000)],
  ...commands(50_000, (i) => ['XADD', 'stream:50k', `${i + 1}-0`, 'n', i]),
  ['XGROUP', 'CREATE', 'stream:50k', 'g', '0'],
  ...commands(20, (i) => ['XREADGROUP', 'GROUP', 'g', `c${i % 3}`, 'COUNT', 1000, 'STREAMS', 'stream:50k', '>']),
  ...commands(500, (i) => ['XDEL', 'stream:50k', `${i * 30 + 1}-0`]),
];

thoroughly('a string of 100 MB, a hash of a million fields, a stream with much pending', async () => {
  await using a = await Sandbox.servers(1, { release: '8.2.3' });
  await using b = await Sandbox.servers(1, { release: '5.0.6' });
  await using node = await a.connect(undefined, { timeoutMs: 60_000 });
  await using older = await b.connect(undefined, { timeoutMs: 60_000 });
  await send(a.endpoint(), largeValues);
  const places: [Place, Place] = [
    { endpoint: a.endpoint(), node, release: '8.2.3' },
    { endpoint: b.endpoint(), node: older, release: '5.0.6' },
  ];
  using pipe = await Pipe.open(b.endpoint(), { readonly: false, noTouch: false, timeoutMs: 60_000 });
  const options = { target: '5.0.6', marginMs: 0 };

  await using attachment = await attach({ from: a.endpoint(), acknowledge: 'none' });
  let [longest, underWay, most] = [0, 0, 0];
  let last: CopyProgress | undefined;
  const { keys, unrepresentable } = await copyAll({
    ...options,
    chunks: attachment.snapshot?.chunks ?? [],
    lanes: 2,
    async apply(batch) {
      longest = Math.max(
        longest,
        batch.reduce((sum, command) => sum + command.reduce((n, it) => n + it.length, 0), 0),
      );
      most = Math.max(most, ++underWay);
      await applyTo(pipe, batch);
      underWay--;
    },
    onProgress: (progress) => (last = progress),
  });
  expect({ keys, unrepresentable }).toEqual({ keys: 6, unrepresentable: {} });
  expect(last?.keys).toBe(6);
  expect(last?.bytes).toBeGreaterThan(130_000_000);
  // A batch is full at 512 kB; what fills it up is a piece at the most, or one long element.
  expect(longest).toBeLessThan(4_200_000);
  expect(most).toBe(2);
  expect(await differences(...places, 0)).toEqual([]);
  await sameStreams(...places);

  await older.call('FLUSHALL');
  for (const key of (await node.callBuffer('KEYS', '*')) as Buffer[]) {
    const copied = await copyKey({ ...options, primary: node, key });
    for (let at = 0; at < copied.commands.length; at += 100) await applyTo(pipe, copied.commands.slice(at, at + 100));
  }
  expect(await differences(...places, 0)).toEqual([]);
  await sameStreams(...places);
});

test('only the keys that are wanted are copied, into their databases', async () => {
  await using a = await Sandbox.servers(1, { release: '7.2.4' });
  await using b = await Sandbox.servers(1, { release: '6.0.16' });
  await send(a.endpoint(), [
    ...commands(100, (i) => ['SET', `keep:${i}`, i]),
    ['HSET', 'skip:hash', 'a', 'b'],
    ['XADD', 'skip:stream', '*', 'a', 'b'],
    ['SELECT', 7],
    ['SET', 'keep:other', 'x', 'PX', 100_000],
    ['SET', 'skip:other', 'y'],
  ]);
  await using attachment = await attach({ from: a.endpoint(), snapshotOnly: true });
  using pipe = await Pipe.open(b.endpoint(), { readonly: false, noTouch: false, timeoutMs: 60_000 });
  const { keys, summary } = await copyAll({
    target: '6.0.16',
    marginMs: 0,
    chunks: attachment.snapshot?.chunks ?? [],
    keep: (key) => !key.toString().startsWith('skip:'),
    apply: (batch) => applyTo(pipe, batch),
  });
  expect(keys).toBe(101);
  expect(summary.keys).toBe(104);
  await using older = await b.connect();
  const info = String(await older.call('INFO', 'keyspace'));
  expect(info).toMatch(/db0:keys=100,expires=0/);
  expect(info).toMatch(/db7:keys=1,expires=1/);
});

test('a failing target ends the copying, with what it said', async () => {
  await using a = await Sandbox.servers(1, { release: '7.2.4' });
  await send(
    a.endpoint(),
    commands(20_000, (i) => ['SET', `k:${i}`, 'x']),
  );
  await using attachment = await attach({ from: a.endpoint(), snapshotOnly: true });
  let calls = 0;
  const copying = copyAll({
    target: '6.0.16',
    marginMs: 0,
    chunks: attachment.snapshot?.chunks ?? [],
    apply: () => (++calls > 2 ? Promise.reject(new Error('OOM command not allowed')) : Promise.resolve()),
  });
  await expect(copying).rejects.toThrow('OOM command not allowed');
  expect(calls).toBeLessThan(8);
});
