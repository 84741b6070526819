// What a person would have seen otherwise: a shard left in the middle, or an end that says what is not so.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RolloutError } from '../../model/failures.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
beforeAll(async () => {
  stage = await FakeStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const replica = '10.0.1.1:6379';

for (const [act, type, text] of [
  ['swapVersion', 'StartFailed', 'the server ended with exit code 1'],
  ['rejoin', 'NotCaughtUp', 'its link did not come up within 60s'],
  ['verifyNode', 'Different', '3 keys differ'],
] as const)
  test(`${act} of a replica fails: it goes back to its old version, and the end says so`, async () => {
    const name = `revert-${act.toLowerCase()}`;
    const fake = stage.deploy(name);
    fake.fail(`${act} ${replica}`, new RolloutError(type, `${replica}: ${text}`));
    const operation = await stage.start(name);
    const failure = await operation.failure();
    expect(failure.type).toBe(type);
    expect(failure.message).toContain(text);
    expect(failure.message).toContain('0 of 2 nodes run 8.0.6');
    expect(failure.message).toContain(`${replica} is reverted (5.0.6)`);
    expect(fake.done).toContain(`revert ${replica}`);
    expect(fake.done.filter((it) => it.startsWith('handOver'))).toEqual([]);
    expect(fake.releases()).toEqual(['5.0.6', '5.0.6']);
  });

test('the replica can’t be taken back either: the end names both reasons, and who serves the shard', async () => {
  const fake = stage.deploy('no-way-back');
  fake.fail(`rejoin ${replica}`, new RolloutError('NotCaughtUp', 'its link did not come up'));
  fake.fail(`revert ${replica}`, new RolloutError('StartFailed', 'the old binary is gone'));
  const { message } = await (await stage.start('no-way-back')).failure();
  for (const text of [
    'its link did not come up',
    'the old binary is gone',
    '10.0.1.0:6379 serves',
    `${replica} is failed`,
  ])
    expect(message).toContain(text);
});

test('a shard that nobody serves holds the ledger of what has failed back for a few attempts only', async () => {
  const fake = stage.deploy('unserved');
  fake.fail('handOver shard-1', new RolloutError('HandoverFailed', 'nobody took the slots'));
  fake.fail('readLedger', new RolloutError('Unreachable', 'the primary of shard-1 could not be asked'));
  const failure = await (await stage.start('unserved')).failure();
  expect(failure.type).toBe('HandoverFailed');
  expect(fake.begun.get('readLedger')).toBe(3);
});

test('the handover fails: the old primary serves on and may be promoted again', async () => {
  const fake = stage.deploy('handover');
  fake.fail('handOver shard-1', new RolloutError('HandoverFailed', 'the successor did not take the slots'));
  const failure = await (await stage.start('handover')).failure();
  expect(failure.type).toBe('HandoverFailed');
  expect(failure.message).toContain('the successor did not take the slots');
  expect(fake.primaries()).toEqual(['10.0.1.0:6379']);
  expect(fake.done.at(-2)).toBe('release 10.0.1.0:6379');
  expect(fake.done).not.toContain('swapVersion 10.0.1.0:6379');
});

test('one of three shards at once fails: the others bring back the node in hand, and hand nothing over', async () => {
  const fake = stage.deploy('lanes', { shards: 5, policy: 'parallelShards: 3' }).already(5);
  fake.fail('swapVersion 10.0.2.1:6379', new RolloutError('StartFailed', 'no memory'));
  const other = fake.hold('rejoin 10.0.1.1:6379');
  // What the failed shard leaves behind may well hold it for ever.
  fake.verdicts.set('replication shard-3', { state: 'wait', reason: 'shard-2 has a node down', clears: 'it is back' });
  const operation = await stage.start('lanes');
  // shard-3 is, too: else it would be held for ever, and the operation with it.
  await operation.until('shard-1 is told', (_, entries) =>
    entries.some(({ text }) => text.startsWith('abort by the operation: shard-2 stopped')),
  );
  other();
  const { message, type } = await operation.failure();
  expect(type).toBe('StartFailed');
  expect(message).toContain('no memory');
  expect(message).toContain('3 of 10 nodes run 8.0.6');
  expect(fake.done.filter((it) => it.startsWith('handOver'))).toEqual([]);
  expect(fake.done).toContain('release 10.0.1.1:6379');
  const swapped = fake.done.filter((it) => it.startsWith('swapVersion'));
  expect(swapped).toEqual(['swapVersion 10.0.1.1:6379']);
});

test('a lost write stops even an upgrade whose every step went well', async () => {
  const fake = stage.deploy('lost');
  fake.ledger = { acknowledged: 100, found: 99, lost: 1, examples: [], byType: {} };
  const { message } = await (await stage.start('lost')).failure();
  expect(message).toContain('1 of 100 acknowledged writes');
});
