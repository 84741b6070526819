// A restore that is disturbed where it hurts: half of the keys are written. The frozen worker is in test/faults.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { diskFull } from '../../scripts/sandbox/node-faults.js';
import { failureOf, lastFailure } from './stage/backups.js';
import { BroughtBack, restored } from './stage/brought-back.js';
import { answerError } from './stage/store-between.js';

let given: BroughtBack;
beforeAll(async () => {
  given = await BroughtBack.open();
});
afterEach(async () => {
  given.between.refuse = given.between.spoil = undefined;
  await given.ask('FLUSHALL');
});
afterAll(() => given[Symbol.asyncDispose]());

const isObject = (url = ''): boolean => url.includes('.rdb.gz.sealed');

test('a store that goes away, and credentials that expire, hold it up; it goes on where it was, and nothing is lost', async () => {
  const { between, keys } = given;
  const running = await given.halfway();
  between.refuse = (asked) => isObject(asked.url) && Boolean(asked.socket.destroy());
  between.cut();
  await until('it is said that the store is away', async () => /s3:\/\/.*: /.test(await lastFailure(running)), 60_000);
  between.refuse = ({ url }, answer) => isObject(url) && answerError(answer, 400, 'ExpiredToken', 'It has expired.');
  await until('it is said what has expired', async () => (await lastFailure(running)).includes('ExpiredToken'), 60_000);
  expect(await lastFailure(running)).toContain('(backup.target.accessKeyId and secretAccessKey)');
  between.refuse = undefined;

  const done = await restored(running);

  expect(done).toMatchObject({ result: 'completed', liveWriters: false });
  expect(done.compared).toMatchObject([{ same: keys, different: 0, missing: 0 }]);
  expect(await given.size()).toBe(keys);
}, 360_000);

test('what comes back damaged only while it is loaded ends it by the object’s name; each key that is there is whole', async () => {
  const { between, keys } = given;
  let [opened, read] = [0, 0];
  between.refuse = ({ url, method }) => {
    if (method === 'GET' && isObject(url)) [opened, read] = [opened + 1, 0];
    return false;
  };
  // The first reading is the forecast's.
  between.spoil = (url, chunk) => {
    if (!isObject(url) || opened < 2) return chunk;
    const at = 1_000_000 - read;
    read += chunk.length;
    if (at < 0 || at >= chunk.length) return chunk;
    const turned = Buffer.from(chunk);
    turned[at] = (turned[at] ?? 0) ^ 1;
    return turned;
  };

  const failure = await failureOf((await given.restore('orders')).result());

  expect(failure).toMatchObject({ type: 'Damaged' });
  expect(failure.message).toContain(given.manifest.shards[0]?.object);
  expect(opened).toBe(2);
  expect(await given.size()).toBeLessThan(keys);
  expect(await given.notWhole()).toEqual([]);
  between.spoil = undefined;
  const again = await restored(await given.restore('orders', { existing: 'replace', confirm: 'orders' }));
  expect(again.compared).toMatchObject([{ same: keys, different: 0, missing: 0 }]);
}, 360_000);

test('an abort in the middle: once it is said to have ended, nobody writes any more, and what was written stays', async () => {
  const { keys } = given;
  const running = await given.halfway();
  await running.executeUpdate('abort', { args: [{ by: 'ana', reason: 'the wrong backup' }] });

  const done = await restored(running);

  expect(String(await given.ask('CLIENT', 'LIST'))).not.toContain('redis-rollout-restores:');
  expect(done).toMatchObject({ result: 'aborted' });
  expect(done.statement).toContain('the wrong backup');
  const written = await given.size();
  expect(written).toBeGreaterThan(300);
  expect(written).toBeLessThan(keys);
  expect(await given.notWhole()).toEqual([]);
  // The lock is free: whoever comes next is alone.
  const next = await restored(await given.restore('orders', { existing: 'keep', confirm: 'orders' }));
  expect(next).toMatchObject({ result: 'completed', restored: [{ kept: written }], compared: [{ same: keys }] });
}, 360_000);

test.runIf(process.platform === 'linux' && process.getuid?.() === 0)(
  'a target whose disk is full takes no writes: it is said, and it goes on once there is room',
  async () => {
    const configuration = ['appendonly yes', 'auto-aof-rewrite-percentage 0'];
    await using small = await Sandbox.cluster({
      ...{ release: '7.2', primaries: 1, replicasEach: 0, configuration },
      diskBytes: 32 * 1024 * 1024,
    });
    const [node] = small.nodes;
    if (!node) throw new Error('there is no node');
    await given.deploy('small', small);
    const undo = await diskFull(small, node);
    const running = await given.restore('small', { from: 'orders', rate: 1000 });
    await until('it is said', async () => /can't write to its disk: MISCONF/.test(await lastFailure(running)), 60_000);
    await undo();
    const done = await restored(running);
    expect(done).toMatchObject({ result: 'completed', compared: [{ same: given.keys, missing: 0 }] });
  },
  360_000,
);
