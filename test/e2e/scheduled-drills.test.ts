// A drill that fails every Sunday, and nobody hears of it.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { loadDeployment } from '../../integrations/deployment-files.js';
import type { DeploymentFile } from '../../model/deployment.js';
import type { DrillRecord } from '../../model/drill.js';
import { drillScheduleId, drillWorkflowId, TASK_QUEUE } from '../../model/names.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { alignSchedules } from '../../workers/schedules.js';
import type { ScheduledDrillResult } from '../../workflows/scheduled-drill.js';
import { encryption, failureOf, openBackupStage } from './stage/backups.js';
import { Dataset } from './stage/dataset.js';
import { backUp, rolloutAt } from './stage/drills.js';

let stage: Stage;
beforeEach(async () => {
  stage = await openBackupStage();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const drills = (...words: string[]) => rolloutAt(stage, 'drills', 'orders', ...words);

test('a schedule holds one; one that fails fails its workflow, one beside another is left out, and old records go', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', replicasEach: 0 });
  await Dataset.write(cluster, 60);
  const gate = join(stage.root, 'gate');
  const drill: DeploymentFile['drill'] = {
    ...{ failures: false, nodeTimeout: '1500ms', keep: 2, schedule: { every: 'day', jitter: '0s' } },
  };
  const checks = [
    { name: 'carts', command: ['sh', '-c', `while [ -e ${gate} ]; do sleep 0.1; done; cat ${gate}-verdict`] },
  ];
  const backup = { directory: join(stage.root, 'backups'), encryption };
  await stage.deploy('orders', cluster, { backup, checks, drill });
  await backUp(stage);
  const [one] = await alignSchedules(stage.client.schedule, await loadDeployment('orders', stage.deployments));
  expect(one).toMatchObject({ kind: 'drill', change: 'created', when: 'every day at 04:00 UTC' });
  const handle = stage.client.schedule.getHandle(drillScheduleId('orders'));
  let begun = 0;
  const trigger = async (): Promise<ScheduledDrillResult> => {
    await handle.trigger();
    begun++;
    const actions = async () => (await handle.describe()).info.recentActions;
    await until('the schedule has begun one', async () => (await actions()).length === begun, 60_000);
    const { workflowId = '', firstExecutionRunId } = (await actions())[begun - 1]?.action.workflow ?? {};
    return stage.client.workflow.getHandle(workflowId, firstExecutionRunId).result() as Promise<ScheduledDrillResult>;
  };
  expect(await drills('--check')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('no drill was held') as string,
  });

  await writeFile(`${gate}-verdict`, '12 carts, 0 broken');
  const first = (await trigger()) as DrillRecord;
  expect(first).toMatchObject({ startedBy: 'schedule', passed: true });
  expect(await drills('--check')).toMatchObject({ code: 0 });

  // Somebody's own is under way.
  await writeFile(gate, '');
  const own = await stage.client.workflow.start('drDrill', {
    ...{
      workflowId: drillWorkflowId('orders'),
      taskQueue: TASK_QUEUE,
      args: [{ deployment: 'orders', startedBy: 'ana' }],
    },
  });
  expect(await trigger()).toEqual({ leftOut: 'redis/orders/drill was under way' });
  await rm(gate);
  expect(await own.result()).toMatchObject({ startedBy: 'ana', passed: true });

  await rm(`${gate}-verdict`);
  const failed = await failureOf(trigger());
  expect(failed).toMatchObject({
    type: 'DrillFailed',
    message: expect.stringContaining('check carts: exit code 1') as string,
  });
  const { code, stderr } = await drills('--check');
  expect([code, stderr]).toEqual([3, expect.stringContaining('the newest drill failed: check carts')]);
  const { drills: kept } = JSON.parse((await drills('--json')).stdout) as { drills: DrillRecord[] };
  expect(kept.map(({ startedBy, passed }) => [startedBy, passed])).toEqual([
    ['schedule', false],
    ['ana', true],
  ]);
  const lost = stage.client.workflow.list({
    query: `RedisDeployment = 'orders' AND RedisOperation = 'scheduledDrill' AND ExecutionStatus = 'Failed'`,
  });
  await until('the failed one is found by what it is about', async () => {
    let count = 0;
    for await (const _ of lost) count += _.type === 'scheduledDrill' ? 1 : 0;
    return count === 1;
  });
  const phases = async (phase: string) =>
    (await stage.client.workflow.count(`RedisOperation = 'drDrill' AND RedisPhase = '${phase}'`)).count;
  await until(
    'so are the drills, by what came of them',
    async () => (await phases('failed')) === 1 && (await phases('passed')) === 2,
  );
});
