// A check that hangs, leaves processes behind, finds the worker's secrets in its environment, or tells them.
import { readFile } from 'node:fs/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runCheck } from '../../activities/run-check.js';
import { checkedThings } from '../../model/checks.js';
import { until } from '../../scripts/sandbox/cluster.js';

const endpoint = { host: '127.0.0.1', port: 7001, password: 'sesame-of-the-scratch-cluster' };
const nodes = ['127.0.0.1:7001', '127.0.0.1:7002'];
const cart = { name: 'cart', of: [...checkedThings] };
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-check-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const check = (script: string, { timeout = 10_000, signal = new AbortController().signal } = {}) =>
  runCheck({ ...cart, command: ['sh', '-c', script], timeout }, { endpoint, nodes, signal });
const ended = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

test('finds the cluster in its environment, and nothing that the worker has in its own', async () => {
  vi.stubEnv('ROLLOUT_TEST_SECRET', 'not-for-checks');
  const file = join(folder, 'environment');

  const step = await check(`env > ${file}; echo fine`);

  expect(step).toMatchObject({ check: 'cart', result: 'passed', found: 'fine' });
  const environment = await readFile(file, 'utf8');
  expect(environment).toContain('REDIS_URL=redis://:sesame-of-the-scratch-cluster@127.0.0.1:7001');
  expect(environment).toContain('REDIS_NODES=127.0.0.1:7001,127.0.0.1:7002');
  expect(environment).not.toContain('not-for-checks');
});

test('that fails says how, with the end of what it said and without the password', async () => {
  const step = await check('echo "$REDIS_PASSWORD was refused" >&2; exit 3');
  expect(step).toMatchObject({ result: 'failed', found: 'exit code 3: … was refused' });
});

test('finds a user’s name and its password in the address so that a client reads them, and where the TLS files are', async () => {
  const file = join(folder, 'environment');
  const endpoint = { host: '::1', port: 7001, username: 'app', password: 'a/b@c d', tls: { verify: true } };
  const step = await runCheck(
    { ...cart, command: ['sh', '-c', `env > ${file}; echo "$REDIS_URL"; exit 1`], timeout: 10_000 },
    { endpoint, nodes, tls: { ca: '/etc/ca.pem', verify: true }, signal: new AbortController().signal },
  );
  const environment = await readFile(file, 'utf8');
  expect(environment).toContain('REDIS_URL=rediss://app:a%2Fb%40c%20d@[::1]:7001');
  expect(environment).toContain('REDIS_CA=/etc/ca.pem');
  expect(new URL(/REDIS_URL=(.*)/.exec(environment)?.[1] ?? '').username).toBe('app');
  expect(step.found).toBe('exit code 1: rediss://app:…@[::1]:7001');
});

test('that is no program fails', async () => {
  const signal = new AbortController().signal;
  const step = await runCheck({ ...cart, command: ['no-such-program'], timeout: 1000 }, { endpoint, nodes, signal });
  expect(step.result).toBe('failed');
  expect(step.found).toMatch(/^could not be started: .*ENOENT/);
});

test('that hangs is ended with all that it has started', async () => {
  const file = join(folder, 'pid');

  const step = await check(`sleep 600 & echo $! > ${file}; wait`, { timeout: 500 });

  expect(step).toMatchObject({ result: 'failed', found: 'not done within 500 ms' });
  const pid = Number(await readFile(file, 'utf8'));
  expect(pid).toBeGreaterThan(0);
  await until('the process that it left has ended', () => ended(pid));
});

test('ends with the attempt that runs it', async () => {
  const controller = new AbortController();
  const file = join(folder, 'pid');
  const running = check(`echo $$ > ${file}; sleep 600`, { signal: controller.signal });
  await until('it runs', async () => Number(await readFile(file, 'utf8').catch(() => '')) > 0);

  controller.abort(new Error('the worker stops'));

  await expect(running).rejects.toThrow('the worker stops');
  await until('it has ended', async () => ended(Number(await readFile(file, 'utf8'))));
});
