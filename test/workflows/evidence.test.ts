// What a person would have believed otherwise: that everything was compared, measured and backed up.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RolloutError } from '../../model/failures.js';
import { wait } from '../../model/verdict.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
beforeAll(async () => {
  stage = await FakeStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const refused = new RolloutError('MissingPermission', 'The user may not run SET on redis-rollout:{x}');

test('the probe may not write: the upgrade ends at once with that, and nothing was touched', async () => {
  const fake = stage.deploy('no-probe');
  fake.verdicts.set('latency', wait('the probe has nothing of the last ten seconds', 'it measures again'));
  fake.fail('runProbe', refused);
  const failure = await (await stage.start('no-probe')).failure();
  expect(failure.type).toBe('MissingPermission');
  expect(failure.message).toContain('may not run SET');
  expect(failure.message).toContain('Nothing was touched.');
  // Backups may be taken beside it: that changes nothing of the deployment.
  expect(fake.done.filter((it) => !/backup/i.test(it))).toEqual([]);
});

test('the probe ends once a node was touched: that is noted, and the upgrade goes on', async () => {
  const fake = stage.deploy('probe-ends');
  fake.fail('runProbe', refused);
  const probe = fake.hold('runProbe');
  const swap = fake.hold('swapVersion 10.0.1.1:6379');
  const operation = await stage.start('probe-ends');
  await operation.until('a node is in hand', () => fake.done.includes('snapshot 10.0.1.1:6379'));
  probe();
  await operation.until('it is noted', (_, timeline) => timeline.some(({ text }) => /nothing is measured/.test(text)));
  swap();
  expect(await operation.result()).toMatchObject({ result: 'completed' });
});

test('before start is answered no key is written; after it the gates are held once more', async () => {
  const { fake, operation } = await stage.run('asked-first', {
    policy: 'approvals: { start: { roles: [engineering] } }',
  });
  await operation.waits('approval', 'start');
  expect(fake.done).toEqual([]);
  fake.verdicts.set('memory', wait('2 % free', '10 % are free'));
  await operation.tell('approve', { by: 'ana' });
  await operation.waits('gate', 'memory');
  expect(fake.done).toEqual(['runProbe']);
  fake.verdicts.clear();
  await operation.tell('override', { by: 'ana', gate: 'memory', reason: 'known' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
});

test('backups run side by side, and older ones go only when every shard’s is in', async () => {
  const fake = stage.deploy('backups', { shards: 4 });
  const release = fake.hold('backUpShard shard-1');
  const operation = await stage.start('backups');
  await operation.until('the others are in', () => fake.done.filter((it) => it.startsWith('backUpShard')).length === 3);
  expect(fake.done).not.toContainEqual(expect.stringContaining('completeBackup'));
  release();
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  expect(fake.done.filter((it) => /backup/i.test(it)).slice(-2)).toEqual([
    'backUpShard shard-1',
    'completeBackup shard-1 shard-2 shard-3 shard-4',
  ]);
});

test('at the end every replica has been compared with the primary that it has then, none of them twice', async () => {
  const fake = stage.deploy('compared', { shards: 2 }).already(2);
  fake.unsettled = 3;
  const operation = await stage.start('compared');
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  // Shard 2 was upgraded before, by an operation whose comparisons nobody knows any more.
  expect(fake.done.filter((it) => it.startsWith('compareReplica'))).toEqual([
    'compareReplica 10.0.2.1:6379 10.0.2.0:6379',
  ]);
  const { timeline } = await operation.read();
  expect(timeline.map(({ text }) => text)).toContainEqual(
    expect.stringMatching(/^3 keys of 10\.0\.2\.1:6379 .*: feed, …$/),
  );
});

test('a replica that differs at the end stops the upgrade', async () => {
  const fake = stage.deploy('differs', { shards: 2 }).already(2);
  fake.fail('compareReplica 10.0.2.1:6379 10.0.2.0:6379', new RolloutError('Different', '2 of 10 keys differ'));
  const failure = await (await stage.start('differs')).failure();
  expect(failure.type).toBe('Different');
  expect(failure.message).toContain('2 of 10 keys differ');
});

test('a node that runs the old release again at the end: it is named, and nothing is called complete', async () => {
  const { fake, operation } = await stage.run('downgraded', {
    policy: 'approvals: { finalize: { roles: [engineering] } }',
  });
  await operation.waits('approval', 'finalize');
  fake.turnBack('10.0.1.1:6379');
  await operation.tell('approve', { by: 'ana' });
  expect((await operation.failure()).message).toContain('expected 8.0.6 on every node, found 5.0.6 on 10.0.1.1:6379');
});

test('a replica of the old release that somebody added is counted as left to do', async () => {
  const { fake, operation } = await stage.run('joined', {
    policy: 'approvals: { finalize: { roles: [engineering] } }',
  });
  await operation.waits('approval', 'finalize');
  fake.addReplica('shard-1', '10.0.1.2:6379');
  await operation.tell('approve', { by: 'ana' });
  const { message } = await operation.failure();
  expect(message).toContain('expected 8.0.6 on every node, found 5.0.6 on 10.0.1.2:6379');
  expect(message).toContain('2 of 3 nodes run 8.0.6');
  expect(message).toContain('rollout start joined --to 8.0.6');
});
