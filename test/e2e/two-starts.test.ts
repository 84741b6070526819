import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TASK_QUEUE } from '../../model/names.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { rollout } from '../scripts/rollout/stage/cli.js';
import { expectUntouched, readNodes, type NodeState } from './stage/nodes.js';
import { Operation } from '../../scripts/sandbox/operation.js';
import { Stage } from '../../scripts/sandbox/stage.js';

// Two people start at once: one upgrade runs, the other start is refused by the name of the one that does.
let stage: Stage;
let cluster: Sandbox;
let before: NodeState[];

beforeAll(async () => {
  stage = await Stage.open();
  cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  before = await readNodes(cluster);
  await stage.deploy('orders', cluster, {
    policy: { roles: { operations: ['ana'] }, approvals: { start: { roles: ['operations'] } } },
  });
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

test('of two starts at the same moment exactly one runs, and the other is told which', async () => {
  const options = { env: { TEMPORAL_ADDRESS: stage.address, NO_COLOR: '1' } };
  const [first, second] = await Promise.all([
    rollout(['start', 'orders', '--to', '8.0', '--as', 'olu'], options),
    rollout(['start', 'orders', '--to', '8.0', '--as', 'ben'], options),
  ]);
  expect([first.code, second.code].sort(), `${first.stderr}\n${second.stderr}`).toEqual([0, 4]);
  const [winner, loser] = first.code === 0 ? ['olu', second] : ['ben', first];
  expect(loser.stderr).toContain('orders has an operation already');
  expect(loser.stderr).toContain(`started by ${winner}`);

  await expect(stage.start('orders', '8.0', { startedBy: 'eve' })).rejects.toThrow(
    WorkflowExecutionAlreadyStartedError,
  );

  const { runId } = await stage.client.workflow.getHandle('redis/orders').describe();
  const operation = new Operation(stage.client.workflow, 'redis/orders', runId);
  const { status } = await operation.waits('approval', 'start');
  expect(status.startedBy).toBe(winner);
  expect(await operation.tell('reject', { by: 'ana', comment: 'not today' })).toMatchObject({
    done: expect.stringContaining('start rejected by ana') as string,
  });
  expect(await operation.result()).toMatchObject({ result: 'aborted' });
}, 600_000);

test.each(['redis/other', 'orders', 'redis/orders/rolling'])(
  'an upgrade of orders under the id %s would run beside the lock: it fails at once',
  async (workflowId) => {
    const handle = await stage.client.workflow.start('upgrade', {
      workflowId,
      taskQueue: TASK_QUEUE,
      args: [{ deployment: 'orders', to: '8.0' }],
    });
    const error: unknown = await handle.result().catch((it: unknown) => it);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    const { cause } = error as WorkflowFailedError;
    expect(cause).toBeInstanceOf(ApplicationFailure);
    expect(cause).toMatchObject({
      type: 'WrongWorkflowId',
      message: expect.stringContaining(`expected redis/orders, found ${workflowId}`) as string,
    });
  },
);

test('nothing was touched by any of it', () => expectUntouched(cluster, before));
