import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { until } from '../../../scripts/sandbox/cluster.js';
import { rollout, startRollout, type CliOptions } from './stage/cli.js';
import { RolloutStage } from './stage/rollout-stage.js';

// A process of Node for each command, on machines of any speed.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let stage: RolloutStage;
let options: CliOptions;

beforeAll(async () => {
  stage = await RolloutStage.open();
  ({ options } = stage);
});
afterAll(() => stage[Symbol.asyncDispose]());

const json = (text: string): unknown => JSON.parse(text);
const because = (...rest: string[]): string[] => ['--as', 'ana', '--reason', 'checkout is slower', ...rest];

describe('where no operation runs, a fallback is started under the id that is the lock', () => {
  test('of every shard, told as JSON: what it was started with', async () => {
    const { code, stdout, stderr } = await rollout(['fallback', 'ended', ...because('--json')], options);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const input = { deployment: 'ended', startedBy: 'ana', reason: 'checkout is slower', shards: [], restore: false };
    expect(json(stdout)).toMatchObject({ workflowId: 'redis/ended', input, worker: true });
    const status = json((await rollout(['status', 'ended', '--json'], options)).stdout);
    expect(status).toMatchObject({ status: { operation: 'fallback', startedBy: 'ana', result: 'completed' } });
  });

  test('of one shard, followed to its end', async () => {
    const args = ['fallback', 'one', ...because('--shard', 'shard-2', '--watch', '--interval', '50ms')];
    const { code, stdout, stderr } = await rollout(args, options);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Started redis\/one: the fallback of shard-2, as ana\.\n/);
    expect(stdout).toContain('falling back: shard-2: checkout is slower');
    expect(stdout).toContain('one: completed.');
  });

  test('a deployment that nobody knows, and one that has nothing to go back to: said at once', async () => {
    const [unknown, bare] = await Promise.all(
      ['nowhere', 'bare'].map((name) => rollout(['fallback', name, ...because()], options)),
    );
    expect(unknown).toMatchObject({ code: 2, stdout: '' });
    expect(unknown?.stderr).toMatch(/^rollout: no deployment 'nowhere' in \/srv: there are orders\n/);
    expect(bare).toMatchObject({ code: 3, stdout: '' });
    expect(bare?.stderr).toMatch(/^rollout: shard-1 is served by 127\.0\.0\.1:7002 on 8\.0\.6, and has no standby\n/);
  });
});

describe('where an upgrade runs', () => {
  test('it is told, and ends within the same operation: 0 for who asked, 3 for who watched the upgrade', async () => {
    const upgrade = startRollout(['start', 'running', '--to', '8.0', '--watch', '--interval', '50ms'], options);
    await until('it asks', () => upgrade.stdout().includes('waits'));
    const args = ['fallback', 'running', ...because('--shard', 'shard-1', '--watch', '--interval', '50ms')];
    const told = await rollout(args, options);
    expect(told).toMatchObject({ code: 0, stderr: '' });
    expect(told.stdout).toMatch(/^fallback of shard-1 by ana: checkout is slower\n/);
    expect(told.stdout).toContain('running: fell back.');
    expect(await upgrade.ended).toBe(3);
  });

  test('as JSON: the update and its answer; and no second operation', async () => {
    await rollout(['start', 'documents', '--to', '8.0'], options);
    const { code, stdout } = await rollout(['fallback', 'documents', ...because('--json')], options);
    expect(code).toBe(0);
    expect(json(stdout)).toEqual({
      workflowId: 'redis/documents',
      update: 'fallback',
      answer: 'fallback of every shard by ana: checkout is slower',
    });
    await until('it has ended', async () => (await rollout(['status', 'documents'], options)).code === 3);
    const status = json((await rollout(['status', 'documents', '--json'], options)).stdout);
    expect(status).toMatchObject({ status: { operation: 'upgrade', result: 'fell back' } });
  });

  test('what it refuses is refused in its words: exit code 4', async () => {
    await rollout(['fallback', 'held', ...because()], options);
    const again = await rollout(['fallback', 'held', ...because('--json')], options);
    expect(again).toMatchObject({ code: 4, stdout: '' });
    expect(json(again.stderr)).toMatchObject({ error: { kind: 'refused', message: 'it is a fallback already' } });
    expect((await rollout(['resume', 'held', '--as', 'ana'], options)).code).toBe(0);
  });
});

test.each([
  [['fallback', 'orders'], /required option '--reason <text>' not specified\n {2}See: rollout fallback --help/],
  [['fallback', 'orders', '--reason', ''], /fallback can't be sent:\n {2}reason: expected a reason/],
  [['fallback', 'orders', '--reason', 'x', '--shard', '2'], /shard: expected shard-1, shard-2, … .* found "2"/],
  [['fallback', 'deployments/orders.yaml', '--reason', 'x'], /is no name of a deployment/],
  [['fallback', 'redis/orders/shard-2', '--reason', 'x'], /rollout fallback orders --shard shard-2/],
])('%j is wrong usage: what and how, without asking Temporal', async (args, stderr) => {
  const result = await rollout(args, { env: { TEMPORAL_ADDRESS: '127.0.0.1:1' } });
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).toMatch(stderr);
});

test('its help says when which of the two happens, and what is done where no standby is', async () => {
  const { code, stdout } = await rollout(['fallback', '--help']);
  expect(code).toBe(0);
  for (const text of ['within the same operation', 'started by itself', 'policy.fallback:', '--reason <text>'])
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(text);
});

test('without a worker: a running upgrade gives no answer, and one that is started waits for it', async () => {
  await rollout(['start', 'deserted', '--to', '8.0'], options);
  await stage.stopWorker();
  const [deserted, waiting] = await Promise.all(
    ['deserted', 'waiting'].map((name) => rollout(['fallback', name, ...because()], options)),
  );
  expect(deserted).toMatchObject({ code: 7, stdout: '' });
  expect(deserted?.stderr).toContain('so `fallback` got no answer');
  // It has no such option.
  expect(deserted?.stderr).not.toContain('--signal');
  expect(waiting).toMatchObject({ code: 0 });
  expect(waiting?.stderr).toContain('No worker has taken it yet');
  await stage.startWorker();
  await until('it was carried out', async () => (await rollout(['status', 'waiting'], options)).code === 0);
});
