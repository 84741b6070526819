import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { readReport } from './stage/evidence.js';
import { expectUntouched, readNodes, type NodeState } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';

// Who may decide, and who may not: an approval is worth what stands behind it.
let stage: Stage;
let cluster: Sandbox;
let before: NodeState[];

const roles = { operations: ['ana', 'ben', 'olu'], product: ['pia'] };

beforeAll(async () => {
  stage = await Stage.open();
  cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  before = await readNodes(cluster);
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

test('one person twice, the wrong role, the starter: none of them makes a quorum of two', async () => {
  await stage.deploy('orders', cluster, {
    policy: { roles, approvals: { start: { roles: ['operations'], quorum: 2 } } },
  });
  const operation = await stage.start('orders', '8.0');
  await operation.waits('approval', 'start');

  expect(await operation.tell('approve', { by: 'ana' })).toEqual({ done: 'start approved by ana (1 of 2)' });
  expect(await operation.tell('approve', { by: 'ana' })).toEqual({ done: 'start approved by ana (1 of 2)' });
  expect(await operation.tell('approve', { by: 'pia' })).toEqual({
    refused: expect.stringMatching(/pia .*operations/) as string,
  });
  expect(await operation.tell('approve', { by: 'olu' })).toEqual({
    refused: expect.stringContaining('olu started this operation') as string,
  });
  expect(await operation.tell('approve', { by: 'ben', approval: 'handover' })).toEqual({
    refused: expect.stringContaining('handover') as string,
  });
  expect(await operation.tell('approve', { from: 'ben' })).toEqual({
    refused: expect.stringContaining('by') as string,
  });

  const { status } = await operation.read();
  expect(status.phase).toBe('awaiting approval');
  expect(status.approvals.map(({ state, answers }) => [state, answers.map(({ by }) => by)])).toEqual([
    ['open', ['ana']],
  ]);

  expect(await operation.tell('reject', { by: 'ben', comment: 'not on a Friday' })).toEqual({
    done: 'start rejected by ben: not on a Friday',
  });
  const outcome = await operation.result();
  expect(outcome.result).toBe('aborted');
  expect(outcome.statement).toContain('rejected by ben');
  expect(outcome.statement).toContain('Nothing was touched');
  const [approval] = (await readReport(outcome)).status.approvals;
  expect(approval).toMatchObject({ state: 'rejected' });
  await expectUntouched(cluster, before);
}, 600_000);

test('a question that nobody answers in time is asked anew, and what was answered is void', async () => {
  await stage.deploy('orders', cluster, {
    policy: { roles, approvals: { start: { roles: ['operations'], quorum: 2, expires: '4s' } } },
  });
  const operation = await stage.start('orders', '8.0');
  await operation.waits('approval', 'start');
  expect(await operation.tell('approve', { by: 'ana' })).toEqual({ done: 'start approved by ana (1 of 2)' });
  const { status } = await operation.until('it is asked anew', ({ approvals }) => approvals.length > 1);
  expect(status.approvals.slice(0, 2)).toMatchObject([
    { state: 'expired', answers: [{ by: 'ana' }] },
    { state: 'open', answers: [] },
  ]);
  expect(await operation.tell('approve', { by: 'ben' })).toMatchObject({ done: 'start approved by ben (1 of 2)' });
  expect(await operation.tell('reject', { by: 'ana' })).toMatchObject({ done: 'start rejected by ana' });
  expect(await operation.result()).toMatchObject({ result: 'aborted' });
  await expectUntouched(cluster, before);
}, 600_000);
