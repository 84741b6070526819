// What is yours to do at a point is done there, once, and its failure does what you said: hold, end, or nothing.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RolloutError } from '../../model/failures.js';
import type { HookPoint } from '../../model/hooks.js';
import { hookPoints } from '../../model/hooks.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
beforeAll(async () => {
  stage = await FakeStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const some = (text: string): string => expect.stringContaining(text) as string;
const hook = (name: string, at: readonly HookPoint[], more = ''): string =>
  `{ name: ${name}, at: [${at.join(', ')}], command: [x]${more} }`;

test('every point of an upgrade comes once, in order, each shard’s and node’s by its name and with a key of its own', async () => {
  const { fake, operation } = await stage.run('points', { shards: 2, hooks: `[${hook('every', hookPoints)}]` });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  const of = (shard: string): string[] =>
    fake.hooked.filter((it) => it.shard === shard).map(({ point, node }) => `${point} ${node ?? ''}`.trim());
  for (const n of [1, 2])
    expect(of(`shard-${n}`)).toEqual([
      'before shard',
      ...[`before node 10.0.${n}.1:6379`, `after node 10.0.${n}.1:6379`],
      ...[`before node 10.0.${n}.0:6379`, `before handover 10.0.${n}.0:6379`],
      ...[`after handover 10.0.${n}.0:6379`, `after node 10.0.${n}.0:6379`],
      'after shard',
    ]);
  const whole = fake.hooked.filter(({ shard }) => shard === undefined).map(({ point }) => point);
  const inShards = (point: HookPoint): boolean => / (shard|node|handover|fallback)$/.test(point);
  expect(whole).toEqual(hookPoints.filter((point) => !inShards(point)));
  const keys = fake.hooked.map(({ key }) => key);
  expect(new Set(keys).size).toBe(keys.length);
  expect(fake.hooked.at(-1)).toMatchObject({ point: 'ended', result: 'completed', operation: 'redis/points' });
  expect(fake.hooked[0]).toMatchObject({ from: '5.0.6', to: '8.0.6', deployment: 'points' });
  // None stands between a handover and the old primary's restart.
  const acts = fake.done;
  expect(acts.indexOf('swapVersion 10.0.1.0:6379')).toBe(acts.indexOf('handOver shard-1') + 2);
});

test('one that fails holds: it is shown and tried again, with the same key, until it succeeds', async () => {
  const fake = stage.deploy('held', { hooks: `[${hook('mute', ['before node'])}]` });
  fake.failingHooks.add('mute');
  const operation = await stage.start('held');
  const { status } = await operation.waits('gate', 'hook:mute');
  expect(status.waiting).toMatchObject([
    {
      reason: some('before node 10.0.1.1:6379: exit code 1: it would not'),
      command: 'rollout override held --gate hook:mute --shard shard-1 --reason "…"',
    },
  ]);
  expect(fake.done.filter((it) => it.startsWith('isolate'))).toEqual([]);
  fake.failingHooks.clear();
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  const keys = fake.hooked.filter(({ node }) => node === '10.0.1.1:6379').map(({ key }) => key);
  expect(keys.length).toBeGreaterThan(1);
  expect(new Set(keys).size).toBe(1);
  const { timeline } = await operation.read();
  const told = timeline.filter(({ kind }) => kind === 'hook').map(({ text, until }) => [text, until !== undefined]);
  expect(told).toContainEqual(['mute before node: failed after 1 ms: exit code 1: it would not', true]);
  expect(told).toContainEqual(['mute before node: passed after 1 ms: done', true]);
}, 120_000);

test('one that holds may be overridden by name, on record, and is not done again for that', async () => {
  const fake = stage.deploy('overridden', { hooks: `[${hook('mute', ['before rolling'])}]` });
  fake.failingHooks.add('mute');
  const operation = await stage.start('overridden');
  await operation.waits('gate', 'hook:mute');
  const tried = fake.hooked.length;
  await operation.tell('override', { by: 'ana', gate: 'hook:mute', reason: 'muted by hand' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  expect(fake.hooked).toHaveLength(tried);
  const { gates } = (await operation.read()).status;
  expect(gates.find(({ gate }) => gate === 'hook:mute')?.overriddenBy).toMatchObject({ by: 'ana' });
});

test('abort stops with where everything stands, ignore goes on, and at the end nothing is held by either', async () => {
  const fake = stage.deploy('stopping', {
    shards: 2,
    hooks: `[${hook('ticket', ['after shard'], ', onFailure: abort')}, ${hook('tell', ['ended'])}]`,
  });
  fake.failingHooks.add('ticket').add('tell');
  const operation = await stage.start('stopping');
  const failure = await operation.failure();
  expect(failure.message).toContain('ticket failed after shard (hooks, onFailure: abort): exit code 1: it would not');
  expect(failure.message).toContain('2 of 4 nodes run 8.0.6');
  expect(fake.hooked.at(-1)).toMatchObject({ hook: 'tell', result: 'stopped' });
  const ignored = stage.deploy('ignored', { hooks: `[${hook('tell', ['before node'], ', onFailure: ignore')}]` });
  ignored.failingHooks.add('tell');
  expect(await (await stage.start('ignored')).result()).toMatchObject({ result: 'completed' });
  expect(ignored.hooked).toHaveLength(2);
});

test('an abort does not wait for one that hangs', async () => {
  const fake = stage.deploy('hangs', { hooks: `[${hook('slow', ['before node'], ', timeout: 1h')}]` });
  const release = fake.hold('runHook slow before node');
  const operation = await stage.start('hangs');
  await operation.until('it is asked', () => fake.begun.has('runHook slow before node'));
  await operation.tell('abort', { by: 'ana', reason: 'enough' });
  expect(await operation.result()).toMatchObject({ result: 'aborted', statement: some('aborted by ana: enough') });
  expect(fake.isolated()).toEqual([]);
  release();
});

test('a worker that can’t find the secret of one is a failure of that hook, and holds like any other', async () => {
  const fake = stage.deploy('secretless', { hooks: `[${hook('call', ['before upgrade'])}]` });
  fake.fail('runHook call before upgrade', new RolloutError('Unauthorized', 'env:TICKETS is not set on this worker'));
  const operation = await stage.start('secretless');
  const { status } = await operation.waits('gate', 'hook:call');
  expect(status.waiting[0]?.reason).toContain('env:TICKETS is not set on this worker');
  await operation.tell('abort', { by: 'ana' });
  expect(await operation.result()).toMatchObject({ result: 'aborted' });
});

test('a workflow of yours is a child of the operation: it is told the same, and its failure holds', async () => {
  const { fake, operation } = await stage.run('children', {
    hooks:
      '[{ name: none, at: [before rolling], workflow: { type: noSuchType, taskQueue: redis-rollout }, timeout: 3s }]',
  });
  const { status } = await operation.waits('gate', 'hook:none');
  expect(status.waiting[0]?.reason).toContain('before rolling');
  expect(fake.hooked).toEqual([]);
  const runs = [];
  for await (const { workflowId, type } of stage.client.workflow.list({ query: "WorkflowType = 'noSuchType'" }))
    runs.push([type, workflowId]);
  expect(runs).toEqual([['noSuchType', some('redis/children/hook/children/')]]);
  await operation.tell('override', { by: 'ana', gate: 'hook:none', reason: 'there is none' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
}, 120_000);
