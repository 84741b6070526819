// Two people start: whenever the second comes, one upgrade runs, and the other is told which and where it stands.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TASK_QUEUE } from '../../model/names.js';
import { until } from '../../scripts/sandbox/cluster.js';
import { temporalProgram } from '../../scripts/setup/temporal.js';
import { rollout } from '../scripts/rollout/stage/cli.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
beforeAll(async () => {
  stage = await FakeStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

async function startAgain(): Promise<string> {
  const env = { TEMPORAL_ADDRESS: stage.address, NO_COLOR: '1' };
  const { code, stderr } = await rollout(['start', 'orders', '--to', '8.0', '--as', 'ben'], { env });
  expect(code, stderr).toBe(4);
  expect(stderr).toContain('orders has an operation already');
  return stderr;
}

/** By Temporal's own command, as whoever has nothing else would. */
async function temporal(...args: string[]): Promise<{ code: number; text: string }> {
  const program = await temporalProgram();
  if (program === undefined) throw new Error('no Temporal CLI: run `npm run setup`');
  const input = JSON.stringify({ deployment: 'orders', to: '8.0', startedBy: 'eve' });
  try {
    const { stdout, stderr } = await promisify(execFile)(program, [
      ...['workflow', ...args, '--type', 'upgrade', '--task-queue', TASK_QUEUE, '--input', input],
      ...['--address', stage.address],
    ]);
    return { code: 0, text: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, text: stdout + stderr };
  }
}

test('at each stage a second start is refused, naming the one that runs and its phase', async () => {
  const fake = stage.deploy('orders', { policy: 'soak: 1h\napprovals: { start: { roles: [engineering] } }' });
  const assessing = fake.hold('assess');
  const rolling = fake.hold('swapVersion 10.0.1.1:6379');
  const ending = fake.hold('writeReport');
  const operation = await stage.start('orders');
  const began = (act: string) => operation.until(`${act} has begun`, () => fake.begun.has(act));

  await began('assess');
  expect(await startAgain()).toMatch(/started by olu, now assessing/);
  assessing();
  await operation.waits('approval', 'start');
  expect(await startAgain()).toMatch(/5\.0\.6 → 8\.0\.6.*now awaiting approval: Start the upgrade/s);

  // Under its own id Temporal's command shows the run that there is, and starts none; under another one it fails at once.
  const same = await temporal('start', '--workflow-id', 'redis/orders');
  expect(same.text).toContain(operation.runId);
  const other = await temporal('execute', '--workflow-id', 'redis/orders-2');
  expect([other.code === 0, other.text]).toEqual([
    false,
    expect.stringMatching(/workflow id: expected redis\/orders, found redis\/orders-2/),
  ]);
  const { timeline } = await operation.read();
  expect(timeline.filter(({ text }) => text.includes('assess')).length).toBe(1);

  await operation.tell('approve', { by: 'ana' });
  await began('swapVersion 10.0.1.1:6379');
  expect(await startAgain()).toMatch(/now rolling shards/);
  await operation.tell('pause', { by: 'ana', reason: 'lunch' });
  rolling();
  await operation.waits('pause', 'pause');
  expect(await startAgain()).toContain('started by olu');
  await operation.tell('resume', { by: 'ana' });
  await operation.waits('soak', 'soaking');
  expect(await startAgain()).toMatch(/now soaking/);
  await operation.tell('abort', { by: 'ana', reason: 'done with it' });
  // Its status says how it ended before its report is written.
  await until('its report is being written', () => fake.begun.has('writeReport'), 240_000);
  expect(await startAgain()).toMatch(/now aborted/);
  ending();
  expect(await operation.result()).toMatchObject({ result: 'aborted' });
  // None of the refused starts did anything.
  expect(fake.done.filter((it) => it.startsWith('swapVersion'))).toHaveLength(2);
}, 600_000);
