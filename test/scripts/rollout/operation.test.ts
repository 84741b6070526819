import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { until } from '../../../scripts/sandbox/cluster.js';
import type { OperationStatus } from '../../../model/operation.js';
import type { ReportData } from '../../../model/report.js';
import { rollout, startRollout, type CliOptions } from './stage/cli.js';
import { RolloutStage } from './stage/rollout-stage.js';

// A dozen processes of Node one after the other, on machines of any speed.
vi.setConfig({ testTimeout: 120_000 });

let stage: RolloutStage;
let options: CliOptions;

beforeAll(async () => {
  stage = await RolloutStage.open();
  ({ options } = stage);
});
afterAll(() => stage[Symbol.asyncDispose]());

const json = (text: string): unknown => JSON.parse(text);

test('a refusal that takes its time, on a crowded machine, is the answer to the start', async () => {
  const refused = await rollout(['start', 'crowded', '--to', '8.0'], options);
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toContain('8.0 does not read what crowded has');
});

test('an upgrade from start to end: watched in a pipe, approved, overridden, reported', async () => {
  const started = await rollout(['start', 'orders', '--to', '8.0', '--as', 'olu', '--json'], options);
  expect(started).toMatchObject({ code: 0, stderr: '' });
  expect(json(started.stdout)).toMatchObject({
    workflowId: 'redis/orders',
    worker: true,
    input: { deployment: 'orders', to: '8.0', startedBy: 'olu' },
  });

  const lines = startRollout(['watch', 'orders', '--interval', '50ms'], options);
  const documents = startRollout(['watch', 'orders', '--interval', '50ms', '--json'], options);
  await until('the lines say what is waited for', () => lines.stdout().includes('waits'));

  await statusSaysWhatGoesOn();

  const again = await rollout(['start', 'orders', '--to', '8.0'], options);
  expect(again.code).toBe(4);
  expect(again.stderr).toMatch(
    /rollout: orders has an operation already: upgrade 5\.0\.6 → 8\.0\.6, since .* UTC, started by olu, now awaiting approval/,
  );
  expect(again.stderr).toContain('rollout watch orders');

  expect(await rollout(['watch', 'orders', '--exit-when-waiting', '--json'], options)).toMatchObject({ code: 6 });

  const unknown = await rollout(['approve', 'orders', '--as', 'ana', '--approval', 'launch'], options);
  expect(unknown).toEqual({ code: 4, stdout: '', stderr: "rollout: nothing asks for 'launch': open are handover\n" });
  const stranger = await rollout(['approve', 'orders', '--as', 'eve', '--json'], options);
  expect(stranger.code).toBe(4);
  expect(json(stranger.stderr)).toMatchObject({
    error: { kind: 'refused', exitCode: 4, message: 'eve is not in engineering, which is asked: ana' },
  });
  const approved = await rollout(['approve', 'orders', '--as', 'ana', '--approval', 'handover'], options);
  expect(approved).toEqual({ code: 0, stdout: 'approve by ana recorded\n', stderr: '' });

  await until('the gate is seen', () => lines.stdout().includes('gate memory'));
  const held = json((await rollout(['status', 'orders', '--json'], options)).stdout) as { status: OperationStatus };
  // The root still says 5.0.6 of both: the ended child's own word counts.
  expect(held.status.shards[0]?.nodes.map(({ release }) => release)).toEqual(['8.0.6', '8.0.6']);
  expect(held.status.progress.upgraded).toBe(2);
  expect(await rollout(['status', 'orders', '--exit-when-waiting'], options)).toMatchObject({ code: 6 });
  const override = ['override', 'orders', '--gate', 'memory', '--as', 'ana', '--reason', 'swap added', '--json'];
  expect(json((await rollout(override, options)).stdout)).toMatchObject({
    workflowId: 'redis/orders',
    update: 'override',
    answer: 'gate memory overridden by ana: swap added',
  });

  expect(await lines.ended).toBe(0);
  expect(await documents.ended).toBe(0);
  expect(lines.stdout()).toMatch(/step +shard-1 127\.0\.0\.1:7002 rejoin/);
  expect(lines.stdout()).toContain('orders: completed.');
  const last = documents.stdout().trim().split('\n').at(-1) ?? '';
  expect(json(last)).toMatchObject({ type: 'end', end: 'ended', result: 'completed' });
  expect(await rollout(['status', 'orders'], options)).toMatchObject({ code: 0 });

  const late = await rollout(['pause', 'orders'], options);
  expect(late.code).toBe(4);
  expect(late.stderr).toMatch(/^rollout: redis\/orders is not running: it ended .*\(completed\)/);

  await reportHasTheWholeFamily();
});

async function statusSaysWhatGoesOn(): Promise<void> {
  const { code, stdout } = await rollout(['status', 'orders'], options);
  expect(code).toBe(0);
  expect(stdout).toContain('orders: upgrade 5.0.6 → 8.0.6');
  expect(stdout).toContain('awaiting approval: handover of shard-1');
  expect(stdout).toContain('rollout approve orders --approval handover');
  expect(stdout).toMatch(/shard-1 +127\.0\.0\.1:7001 +primary +5\.0\.6/);
}

async function reportHasTheWholeFamily(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rollout-report-'));
  try {
    const file = join(folder, 'orders.html');
    const written = await rollout(['report', 'orders', '--out', file, '--json'], options);
    expect(written.code).toBe(0);
    expect(written.stderr).toContain('The probe has left nothing');
    const data = json(written.stdout) as ReportData;
    expect(data.resyncs).toEqual([{ node: '127.0.0.1:7002', shard: 'shard-1', kind: 'partial', ms: 120 }]);
    expect(data.releases).toHaveLength(1);
    expect(data.timeline.map(({ at }) => at)).toEqual(data.timeline.map(({ at }) => at).toSorted());
    expect(await readFile(file, 'utf8')).toContain('<html');
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('an operation that ends otherwise', () => {
  test.each([
    ['reject', 'stopped'],
    ['abort', 'aborted'],
  ])('%s: whoever watches gets exit code 3 and the statement', async (control, result) => {
    const name = `to-${control}`;
    const followed = startRollout(['start', name, '--to', '8.0', '--watch', '--interval', '50ms'], options);
    await until('it asks', () => followed.stdout().includes('waits'));
    expect((await rollout([control, name, '--as', 'ana'], options)).code).toBe(0);
    expect(await followed.ended).toBe(3);
    expect(followed.stdout()).toContain(`${name}: ${result}. ${control} by ana: every node runs 5.0.6`);
    expect((await rollout(['status', name], options)).code).toBe(3);
  });

  test('an unknown deployment: `start` itself says so, with the exit code of bad input', async () => {
    const { code, stdout, stderr } = await rollout(['start', 'nowhere', '--to', '8.0'], options);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe(
      "rollout: no deployment 'nowhere' in /srv: there are orders\n  Check the name, or ROLLOUT_DEPLOYMENTS on the worker.\n",
    );
  });
});

test('Ctrl-C on a watch leaves the view, and the operation goes on', async () => {
  await rollout(['start', 'left', '--to', '8.0'], options);
  const watching = startRollout(['watch', 'left'], options);
  await until('it watches', () => watching.stdout().includes('waits'));
  watching.child.kill('SIGINT');
  expect(await watching.ended).toBe(130);
  expect(watching.stderr()).toBe('You left; the operation goes on. Come back with: rollout watch left\n');
  expect((await rollout(['status', 'left'], options)).code).toBe(0);
});

test('without a worker: nothing is invented, and a signal is kept for later', async () => {
  await rollout(['start', 'alone', '--to', '8.0'], options);
  await stage.stopWorker();
  const [status, approve, signal] = await Promise.all([
    rollout(['status', 'alone'], options),
    rollout(['approve', 'alone', '--as', 'ana'], options),
    rollout(['approve', 'alone', '--as', 'ana', '--signal'], options),
  ]);
  expect(status, status.stderr).toMatchObject({ code: 7 });
  expect(status.stdout).toMatch(/^redis\/alone: upgrade → 8\.0, running\nstarted /);
  expect(status.stderr).toContain('no worker answers');
  expect(approve.code).toBe(7);
  expect(approve.stderr).toContain('so `approve` got no answer');
  expect(approve.stderr).toContain('--signal');
  expect(signal.code).toBe(0);
  await stage.startWorker();
  await until('the signal was taken', async () =>
    (await rollout(['status', 'alone'], options)).stdout.includes('approved by ana'),
  );
});

test('an operation that nobody started', async () => {
  const { code, stderr } = await rollout(['status', 'ghost'], options);
  expect(code).toBe(4);
  expect(stderr).toContain('no operation redis/ghost is known');
});
