// What a person would have seen otherwise: a question that nobody can answer any more, or one that answered itself.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../scripts/sandbox/cluster.js';
import { rollout } from '../scripts/rollout/stage/cli.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
beforeAll(async () => {
  stage = await FakeStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

test('nobody answers in time: the question is asked anew, and an answer of before counts no more', async () => {
  const { operation } = await stage.run('expiring', {
    policy: 'approvals: { start: { roles: [engineering], quorum: 2, expires: 5s } }',
  });
  await operation.waits('approval', 'start');
  expect(await operation.tell('approve', { by: 'ana' })).toEqual({ done: 'start approved by ana (1 of 2)' });
  const { status } = await operation.until('it is asked anew', ({ approvals }) => approvals.length > 1);
  expect(status.approvals.map(({ state, answers }) => [state, answers.length])).toEqual([
    ['expired', 1],
    ['open', 0],
  ]);
  expect(status.waiting).toMatchObject([{ kind: 'approval', name: 'start' }]);
  // Ana's first answer is void; she and Abe answer the question that stands now.
  expect(await operation.tell('approve', { by: 'abe' })).toEqual({ done: 'start approved by abe (1 of 2)' });
  expect(await operation.tell('approve', { by: 'ana' })).toEqual({ done: 'start approved by ana (2 of 2)' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
});

test('three shards ask the same: one question, renewed once when it expires, and one answer lets all on', async () => {
  const fake = stage.deploy('together', {
    shards: 4,
    policy: `parallelShards: 3
approvals: { handover: { roles: [engineering], expires: 3s } }`,
  });
  // Without a canary the three begin at once; two of them ask some time after the first.
  fake.already(4);
  const later = [fake.hold('snapshot 10.0.2.1:6379'), fake.hold('snapshot 10.0.3.1:6379')];
  const operation = await stage.start('together');
  await operation.waits('approval', 'handover');
  for (const release of later) release();
  await operation.until('all ask', ({ waiting }) => waiting.filter(({ kind }) => kind === 'approval').length === 3);
  const { status } = await operation.until('it is asked anew twice', ({ approvals }) => approvals.length === 3);
  const asked = status.approvals.map(({ askedAt }) => Date.parse(askedAt));
  for (const [i, at] of asked.slice(1).entries()) expect(at - (asked[i] ?? 0)).toBeGreaterThanOrEqual(3000);
  expect(await operation.tell('approve', { by: 'ana' })).toEqual({ done: 'handover approved by ana (1 of 1)' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  expect(fake.done.filter((it) => it.startsWith('handOver')).sort()).toEqual(
    [1, 2, 3].map((n) => `handOver shard-${n}`),
  );
});

test('a shard that asks what was answered for another goes on without a second question', async () => {
  const { fake, operation } = await stage.run('answered-before', {
    shards: 2,
    policy: 'approvals: { handover: { roles: [engineering] } }',
  });
  await operation.waits('approval', 'handover');
  await operation.tell('approve', { by: 'ana' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  expect((await operation.read()).status.approvals).toHaveLength(1);
  expect(fake.done.filter((it) => it.startsWith('handOver'))).toEqual(['handOver shard-1', 'handOver shard-2']);
});

test('contradictory answers, a stranger, and the starter: each is told why, and nothing is counted', async () => {
  const { operation } = await stage.run('contradictory', {
    policy: 'approvals: { start: { roles: [engineering, operations], quorum: 2 } }',
  });
  await operation.waits('approval', 'start');
  await operation.tell('approve', { by: 'ana' });
  expect(await operation.tell('reject', { by: 'ana' })).toMatchObject({
    refused: expect.stringContaining("an answer can't be changed") as string,
  });
  expect(await operation.tell('approve', { by: 'ana' })).toEqual({ done: 'start approved by ana (1 of 2)' });
  expect(await operation.tell('approve', { by: 'cleo' })).toMatchObject({
    refused: expect.stringContaining('cleo has the role product') as string,
  });
  expect(await operation.tell('approve', { by: 'anna' })).toMatchObject({
    refused: expect.stringContaining("did you mean 'ana'?") as string,
  });
  const { status } = await operation.read();
  expect(status.approvals.map(({ answers }) => answers.map(({ by }) => by))).toEqual([['ana']]);
  await operation.tell('approve', { by: 'ben' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
});

test('rejected: nothing more is done, and the end says who said no and what was touched', async () => {
  const { fake, operation } = await stage.run('rejected', {
    shards: 2,
    policy: 'approvals: { handover: { roles: [operations] } }',
  });
  await operation.waits('approval', 'handover');
  expect(await operation.tell('reject', { by: 'ben', comment: 'not before the sale' })).toMatchObject({
    done: 'handover rejected by ben: not before the sale',
  });
  const outcome = await operation.result();
  expect(outcome.result).toBe('aborted');
  expect(outcome.statement).toMatch(/ben/);
  expect(outcome.statement).toMatch(/1 of 4 nodes run 8\.0\.6/);
  expect(fake.done.filter((it) => it.startsWith('handOver'))).toEqual([]);
  expect(fake.releases().filter((it) => it === '8.0.6')).toHaveLength(1);
});

test('what is refused is on record with who asked; what is no input leaves no trace in the history', async () => {
  const { operation } = await stage.run('refusals', { policy: 'approvals: { start: { roles: [engineering] } }' });
  await operation.waits('approval', 'start');
  await sleep(200);
  const refuse = async (all: readonly (readonly [string, unknown])[]): Promise<void> => {
    for (const [name, input] of all)
      expect(await operation.tell(name, input as object), `${name} ${JSON.stringify(input)}`).toMatchObject({
        refused: expect.stringMatching(/.../) as string,
      });
  };
  const before = await stage.events(operation.workflowId);
  await refuse([
    ['approve', { by: '' }],
    ['approve', { who: 'ana' }],
    ['override', { by: 'ana', gate: 'memory' }],
    ['abort', {}],
    ['pause', 'ana'],
  ]);
  expect(await stage.events(operation.workflowId)).toEqual(before);
  await refuse([
    ['approve', { by: 'cleo' }],
    ['approve', { by: 'olu' }],
    ['reject', { by: 'ana', approval: 'finalise' }],
    ['resume', { by: 'ana' }],
    ['override', { by: 'ana', gate: 'memory', reason: 'x' }],
  ]);
  const { timeline } = await operation.read();
  const told = timeline.filter(({ kind }) => kind === 'control');
  expect(told.map(({ by, text }) => [by, text.split(':')[0]])).toEqual([
    ...[
      ['cleo', 'approve was refused'],
      ['olu', 'approve was refused'],
    ],
    ...[
      ['ana', 'reject was refused'],
      ['ana', 'resume was refused'],
      ['ana', 'override was refused'],
    ],
  ]);
  await operation.tell('approve', { by: 'ana' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
});

test('a no that comes after the quorum, by another or the same person, is refused and told what to do instead', async () => {
  const fake = stage.deploy('too-late', { policy: 'approvals: { start: { roles: [engineering] } }' });
  const release = fake.hold('backUpShard shard-1');
  const operation = await stage.start('too-late');
  const handle = stage.handle(operation.workflowId);
  await operation.waits('approval', 'start');
  // By signal, and again by update, as somebody does who got no reply: one answer.
  await handle.signal('approve', { by: 'ana', approval: 'start' });
  await operation.until('it is approved', ({ approvals }) => approvals[0]?.state === 'approved');
  expect(await operation.tell('approve', { by: 'ana' })).toEqual({ done: 'start approved by ana (1 of 1)' });
  expect(await operation.tell('reject', { by: 'ana' })).toEqual({
    refused: expect.stringMatching(
      /ana answered 'start' with approve at .*can't be changed; to end .*, abort it/,
    ) as string,
  });
  expect(await operation.tell('reject', { by: 'abe', approval: 'start' })).toEqual({
    refused: "'start' is approved already; no approval is open; to end the operation all the same, abort it",
  });
  await handle.signal('reject', { by: 'abe', approval: 'start' });
  await operation.until('the signal is on record', (_, timeline) =>
    timeline.some(({ text }) => text.startsWith("reject was refused: 'start' is approved already")),
  );
  release();
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  const [record, ...others] = (await operation.read()).status.approvals;
  expect([record?.answers.length, record?.state, others]).toEqual([1, 'approved', []]);
});

test('an answer for a shard that is done, for one that there is none of, and after a rejection', async () => {
  const fake = stage.deploy('shard-done', {
    shards: 3,
    policy: 'parallelShards: 2\napprovals: { handover: { roles: [engineering, operations], per: shard } }',
  });
  const release = fake.hold('swapVersion 10.0.3.1:6379');
  const operation = await stage.start('shard-done');
  await operation.waits('approval', 'handover:shard-1');
  await operation.tell('approve', { by: 'ana' });
  await operation.waits('approval', 'handover:shard-2');
  expect(await operation.tell('approve', { by: 'abe', approval: 'handover:shard-1' })).toEqual({
    refused: "'handover:shard-1' is approved already; the open one is 'handover:shard-2'",
  });
  expect(await operation.tell('approve', { by: 'abe', approval: 'handover:shard-9' })).toMatchObject({
    refused: expect.stringContaining(
      "nobody asked for 'handover:shard-9'; the open one is 'handover:shard-2'",
    ) as string,
  });
  await operation.until('shard-3 has a node in hand', () => fake.begun.has('swapVersion 10.0.3.1:6379'));
  const no = { done: 'handover:shard-2 rejected by ben' };
  expect(await operation.tell('reject', { by: 'ben', approval: 'handover:shard-2' })).toEqual(no);
  // The node in hand comes back first; meanwhile a yes is no yes any more, and the same no is the same.
  expect(await operation.tell('approve', { by: 'ana', approval: 'handover:shard-2' })).toMatchObject({
    refused: expect.stringContaining("'handover:shard-2' is rejected already") as string,
  });
  expect(await operation.tell('reject', { by: 'ben', approval: 'handover:shard-2' })).toEqual(no);
  release();
  const outcome = await operation.result();
  expect(outcome).toMatchObject({ result: 'aborted' });
  expect(outcome.statement).toContain('4 of 6 nodes run 8.0.6');
  expect(fake.isolated()).toEqual([]);
});

test('a no to a question that stands anew counts; after the end nothing does, and that is said', async () => {
  const fake = stage.deploy('anew', {
    policy: 'approvals: { start: { roles: [engineering], quorum: 2, expires: 4s } }',
  });
  const release = fake.hold('writeReport');
  const operation = await stage.start('anew');
  await operation.waits('approval', 'start');
  await operation.tell('approve', { by: 'ana' });
  await operation.until('it is asked anew', ({ approvals }) => approvals.length > 1);
  expect(await operation.tell('reject', { by: 'ana', comment: 'seen too much since' })).toHaveProperty('done');
  // Its status says that it has ended a moment before.
  await until('the report is being written', () => fake.begun.has('writeReport'));
  expect(await operation.tell('approve', { by: 'abe' })).toEqual({
    refused: 'it has ended (aborted), and approve comes too late: rollout status anew',
  });
  release();
  expect(await operation.result()).toMatchObject({ result: 'aborted' });
  const { status } = await operation.read();
  expect(status.approvals[0]).toMatchObject({ state: 'expired', answers: [{ by: 'ana', decision: 'approve' }] });
  expect(status.approvals.at(-1)).toMatchObject({ state: 'rejected', answers: [{ by: 'ana', decision: 'reject' }] });
  const env = { TEMPORAL_ADDRESS: stage.address, NO_COLOR: '1' };
  const late = await rollout(['approve', 'anew', '--as', 'abe'], { env });
  expect(late).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('redis/anew is not running: it ended') as string,
  });
});
