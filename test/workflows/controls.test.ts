// What a person would have seen otherwise: a word that nobody heeds, or one that breaks the workflow it was said to.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeStage } from './stage/fake-stage.js';
import { wait } from '../../model/verdict.js';

let stage: FakeStage;
beforeAll(async () => {
  stage = await FakeStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const some = (text: string): string => expect.stringContaining(text) as string;

test('abort while a child waits for an approval: every workflow of the family ends, and says what was touched', async () => {
  const { fake, operation } = await stage.run('abort-approval', {
    policy: 'approvals: { handover: { roles: [engineering] } }',
  });
  await operation.waits('approval', 'handover');
  expect(await operation.tell('abort', { by: 'ana', reason: 'an incident' })).toMatchObject({
    done: some('aborted by ana'),
  });
  const outcome = await operation.result();
  expect(outcome.result).toBe('aborted');
  expect(outcome.statement).toMatch(/ana.*an incident/);
  expect(outcome.statement).toContain('1 of 2 nodes run 8.0.6');
  expect(fake.primaries()).toEqual(['10.0.1.0:6379']);
  for (const id of ['redis/abort-approval/rolling', 'redis/abort-approval/shard-1'])
    expect([id, (await stage.handle(id).describe()).status.name]).toEqual([id, 'FAILED']);
});

test('abort while a gate blocks, while it soaks, and while it is paused', async () => {
  const gate = await stage.run('abort-gate');
  gate.fake.verdicts.set('disk', wait('the disk is full', 'there is room'));
  await gate.operation.waits('gate', 'disk');
  const soak = await stage.run('abort-soak', { policy: 'soak: 1h' });
  const paused = await stage.run('abort-paused', { policy: 'soak: 1s' });
  const release = paused.fake.hold('snapshot 10.0.1.1:6379');
  await paused.operation.until('a node is in hand', ({ shards }) =>
    shards.some(({ nodes }) => nodes.some(({ step }) => step === 'save')),
  );
  await paused.operation.tell('pause', { by: 'ana' });
  release();
  await paused.operation.waits('pause', 'pause');
  await soak.operation.waits('soak', 'soaking');
  for (const { operation } of [gate, soak, paused]) {
    await operation.tell('abort', { by: 'ana', reason: 'enough' });
    expect(await operation.result()).toMatchObject({ result: 'aborted', statement: some('ana') });
  }
  expect((await gate.operation.read()).status.statement).toContain('Nothing was touched');
  expect(paused.fake.releases()).toEqual(['5.0.6', '8.0.6']);
});

test('pause said to the root reaches the shard that runs; it holds before the next node, and resume lets it on', async () => {
  const { fake, operation } = await stage.run('pause', { shards: 2 });
  const release = fake.hold('swapVersion 10.0.1.1:6379');
  await operation.until('a node is in hand', ({ shards }) =>
    shards.some(({ nodes }) => nodes.some(({ step }) => step?.startsWith('start') ?? false)),
  );
  expect(await operation.tell('pause', { by: 'ana', reason: 'lunch' })).toMatchObject({ done: some('paused by ana') });
  expect(await operation.tell('pause', { by: 'ben' })).toMatchObject({ refused: some('paused already, by ana') });
  release();
  const { status } = await operation.waits('pause', 'pause');
  // The node in hand came back first; no primary was handed over.
  expect(fake.releases()).toEqual(['5.0.6', '8.0.6', '5.0.6', '5.0.6']);
  expect(status.waiting).toMatchObject([{ reason: 'paused by ana: lunch', command: 'rollout resume pause' }]);
  expect(await operation.tell('resume', { by: 'ben' })).toEqual({ done: 'resumed by ben' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
});

test('an override said to the root opens the child’s gate, once, and no later one', async () => {
  const { fake, operation } = await stage.run('override', { shards: 1 });
  fake.verdicts.set('memory shard-1', wait('2 % free', '10 % are free'));
  await operation.waits('gate', 'memory');
  expect(await operation.tell('override', { by: 'ana', gate: 'disk', reason: 'x' })).toMatchObject({
    refused: some("disk doesn't block; blocking: memory (shard-1)"),
  });
  expect(await operation.tell('override', { by: 'ana', gate: 'memory', shard: 'shard-2', reason: 'x' })).toMatchObject({
    refused: some('blocking: memory (shard-1)'),
  });
  // Later on, the root holds a gate that an override of before must not have opened.
  fake.verdicts.set('latency', wait('slow', 'it is fast'));
  await operation.waits('gate', 'latency');
  fake.verdicts.delete('latency');
  expect(await operation.tell('override', { by: 'ana', gate: 'memory', reason: 'the export ends soon' })).toMatchObject(
    { done: some('memory overridden by ana') },
  );
  const { status } = await operation.until('it was used', ({ gates }) => gates.some((it) => it.overriddenBy));
  expect(status.gates.filter((it) => it.overriddenBy)).toMatchObject([
    { gate: 'memory', shard: 'shard-1', overriddenBy: { by: 'ana', reason: 'the export ends soon' } },
  ]);
  // The handover asks it anew.
  await operation.until('it blocks before the handover', ({ waiting }) =>
    waiting.some(({ name, reason }) => name === 'memory' && reason.includes('before the handover')),
  );
  fake.verdicts.clear();
  expect(await operation.result()).toMatchObject({ result: 'completed' });
});

test('of two gates that block, one is overridden: it stays so until the other one passes', async () => {
  const { fake, operation } = await stage.run('two-gates');
  fake.verdicts.set('memory', wait('2 % free', '10 % are free'));
  fake.verdicts.set('disk', wait('no room', 'there is room'));
  await operation.waits('gate', 'disk');
  await operation.tell('override', { by: 'ana', gate: 'memory', reason: 'known' });
  await operation.until('only disk blocks', ({ waiting }) => waiting.map(({ name }) => name).join() === 'disk');
  await operation.tell('override', { by: 'ben', gate: 'disk', reason: 'known too' });
  await operation.until(
    'the next hold asks again',
    ({ waiting, gates }) =>
      gates.filter((it) => it.overriddenBy).length === 2 && waiting.some(({ shard }) => shard === 'shard-1'),
  );
  fake.verdicts.clear();
  expect(await operation.tell('override', { by: 'ana', gate: 'memory', reason: 'once more' })).toHaveProperty('done');
  await operation.tell('override', { by: 'ana', gate: 'disk', reason: 'once more' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
});

test('a request to cancel is an abort: the node in hand comes back, and nothing more begins', async () => {
  const { fake, operation } = await stage.run('cancelled', { shards: 2 });
  const release = fake.hold('swapVersion 10.0.1.1:6379');
  await operation.until('a node is in hand', ({ shards }) =>
    shards.some(({ nodes }) => nodes.some(({ step }) => step?.startsWith('start') ?? false)),
  );
  await stage.handle(operation.workflowId).cancel();
  await operation.until('it is noted', (_, timeline) => timeline.some(({ text }) => /cancel/.test(text)));
  release();
  expect(await operation.result()).toMatchObject({ result: 'aborted', statement: some('cancel') });
  expect(fake.releases()).toEqual(['5.0.6', '8.0.6', '5.0.6', '5.0.6']);
  expect(fake.done).toContain('release 10.0.1.1:6379');
});

test('garbage in a signal is noted, and the workflow goes on', async () => {
  const { operation } = await stage.run('garbage', { policy: 'approvals: { start: { roles: [engineering] } }' });
  await operation.waits('approval', 'start');
  const handle = stage.handle(operation.workflowId);
  for (const input of [null, 7, 'ana', [], { by: 7 }, { by: 'ana', extra: true }, {}])
    await handle.signal('approve', input);
  await handle.signal('approve');
  await handle.signal('override', { by: 'ana', gate: 'memory' });
  await handle.signal('pause', 'please');
  await handle.signal('unheard-of', {});
  const { timeline } = await operation.until(
    'all are noted',
    (_, entries) => entries.filter(({ kind }) => kind === 'control').length >= 10,
  );
  const said = timeline.filter(({ kind }) => kind === 'control').map(({ text }) => text);
  expect(said).toContainEqual(some('approve was refused'));
  expect(said.join('\n')).toContain('"extra"');
  await handle.signal('approve', { by: 'ana' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
});

test('an input with an unknown field, a missing one or a wrong one fails at once and names it', async () => {
  stage.deploy('inputs');
  for (const [input, found] of [
    [{ speed: 'fast' }, 'speed'],
    [{ to: 'latest' }, 'to: expected a release'],
    [{ startedBy: '' }, 'startedBy'],
  ] as const) {
    const operation = await stage.start('inputs', input);
    expect(await operation.failure()).toMatchObject({ type: 'BadInput', message: some(found) });
    expect(await stage.events(operation.workflowId, operation.runId)).not.toContain('ACTIVITY_TASK_SCHEDULED');
  }
  const shard = await stage.start('inputs', { shard: 'first' }, 'upgradeShard');
  expect(await shard.failure()).toMatchObject({ type: 'BadInput', message: some('shard: expected shard-1') });
});
