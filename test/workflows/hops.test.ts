// Two upgrades in a row would have had two probes, no backup in between that belongs to them, and nobody who knows the way.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RolloutError } from '../../model/failures.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
beforeAll(async () => {
  stage = await FakeStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const byWayOf7 = { to: '7.2', via: ['7.0'] };

test('each hop has its own backup and handover; start, probe and finalize are for the whole', async () => {
  const policy = `approvals:
  start: { roles: [engineering] }
  handover: { roles: [operations] }
  finalize: { roles: [product] }`;
  const fake = stage.deploy('two-hops', { policy });
  const operation = await stage.start('two-hops', byWayOf7);
  await operation.waits('approval', 'start');
  await operation.tell('approve', { by: 'ana' });
  await operation.waits('approval', 'handover:7.0.15');
  await operation.tell('approve', { by: 'ben', approval: 'handover:7.0.15' });
  const { status } = await operation.waits('approval', 'handover:7.2.4');
  expect(status).toMatchObject({ from: '5.0.6', via: ['7.0.15'], to: '7.2.4', hop: '7.2.4' });
  expect(status.progress).toEqual({ upgraded: 1, nodes: 2 });
  expect(fake.releases()).toEqual(['7.2.4', '7.0.15']);
  await operation.tell('approve', { by: 'ben', approval: 'handover:7.2.4' });
  await operation.waits('approval', 'finalize');
  await operation.tell('approve', { by: 'cleo' });

  expect(await operation.result()).toMatchObject({ result: 'completed', from: '5.0.6', to: '7.2.4', nodes: 2 });
  expect(fake.releases()).toEqual(['7.2.4', '7.2.4']);
  expect(fake.done.filter((it) => /^(runProbe|backUp|completeBackup|swapVersion|handOver)/.test(it))).toEqual([
    'runProbe',
    'backUpShard shard-1',
    'completeBackup shard-1',
    'swapVersion 10.0.1.1:6379',
    'handOver shard-1',
    'swapVersion 10.0.1.0:6379',
    'backUpShard shard-1',
    'completeBackup shard-1',
    'swapVersion 10.0.1.0:6379',
    'handOver shard-1',
    'swapVersion 10.0.1.1:6379',
  ]);
  const { status: after, timeline } = await operation.read();
  expect(after.approvals.map((it) => it.approval)).toEqual(['start', 'handover:7.0.15', 'handover:7.2.4', 'finalize']);
  expect(timeline.filter(({ text }) => text.startsWith('soaking: every node runs')).map(({ text }) => text)).toEqual([
    'soaking: every node runs 7.0.15; watched before the next hop, to 7.2.4',
    'soaking: every node runs 7.2.4; watched before it is final',
  ]);
});

test('stopped in the first hop it says so of both releases, and the command goes on from there', async () => {
  const fake = stage.deploy('stops-first', { shards: 2 });
  fake.fail('handOver shard-2', new RolloutError('Stopped', 'the role did not move'));
  const failure = await (await stage.start('stops-first', byWayOf7)).failure();
  expect(failure.message).toContain('3 of 4 nodes run 7.0.15, none 7.2.4.');
  expect(failure.message).toContain('rollout start stops-first --to 7.2.4 --via 7.0.15');
  fake.mend('handOver shard-2');
  fake.done.length = 0;
  const again = await stage.start('stops-first', { to: '7.2.4', via: ['7.0.15'] });
  expect(await again.result()).toMatchObject({ result: 'completed' });
  expect(fake.releases()).toEqual(['7.2.4', '7.2.4', '7.2.4', '7.2.4']);
  expect(fake.done.filter((it) => it.startsWith('swapVersion'))).toHaveLength(1 + 4);
});

test('stopped in the second hop it is taken up there', async () => {
  const fake = stage.deploy('stops-second', { shards: 2, policy: 'approvals: { handover: { roles: [operations] } }' });
  const first = await stage.start('stops-second', byWayOf7);
  await first.waits('approval', 'handover:7.0.15');
  await first.tell('approve', { by: 'ben' });
  await first.waits('approval', 'handover:7.2.4');
  fake.fail('handOver shard-2', new RolloutError('Stopped', 'the role did not move'));
  await first.tell('approve', { by: 'ben', approval: 'handover:7.2.4' });
  const failure = await first.failure();
  expect(failure.message).toMatch(/[1-3] of 4 nodes run 7\.0\.15, [1-3] 7\.2\.4\./);
  fake.mend('handOver shard-2');
  fake.done.length = 0;
  const again = await stage.start('stops-second', byWayOf7);
  await again.waits('approval', 'handover:7.2.4');
  await again.tell('approve', { by: 'ben' });
  expect(await again.result()).toMatchObject({ result: 'completed' });
  const { status } = await again.read();
  expect(status).toMatchObject({ hop: '7.2.4', progress: { upgraded: 4, nodes: 4 } });
  expect(fake.done.filter((it) => it === 'completeBackup shard-1 shard-2')).toHaveLength(1);
});

test('a way that is refused anywhere is refused before anything is touched', async () => {
  const fake = stage.deploy('bad-way');
  const failure = await (await stage.start('bad-way', { to: '7.2', via: ['6.2'] })).failure();
  expect(failure.type).toBe('BadTarget');
  expect(failure.message).toContain('--to 7.2.4 --via 7.0');
  expect(fake.done).toEqual([]);
  expect((await (await stage.start('bad-way', { to: '7.2', via: ['seven'] })).failure()).message).toContain('via.0');
});
