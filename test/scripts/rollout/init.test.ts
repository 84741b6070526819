import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { parseDeployment } from '../../../model/deployment-file.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { rollout } from './stage/cli.js';

const password = 'correct-horse';
let cluster: Sandbox;
let plain: Sandbox;
let folder: string;
let seed: string;

beforeAll(async () => {
  [cluster, plain] = await Promise.all([
    Sandbox.cluster({
      release: '5.0.6',
      configuration: [`requirepass ${password}`, `masterauth ${password}`],
      endpoint: { password },
    }),
    Sandbox.servers(1, { release: '8.0' }),
  ]);
  seed = cluster.nodes[4]?.address ?? '';
});
afterAll(() => Promise.all([cluster.stop(), plain.stop()]));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollout-init-'));
  return () => rm(folder, { recursive: true });
});

const init = (args: readonly string[], env: Record<string, string> = {}) =>
  rollout(['init', ...args], { cwd: folder, env: { ...env, ROLLOUT_DEPLOYMENTS: join(folder, 'deployments') } });
const withPassword = ['--password-from', 'env:ORDERS_PASSWORD'];

test('a cluster behind a password: the file works as it is, and holds no secret', async () => {
  const args = [seed, '--name', 'orders', ...withPassword];
  const written = await init(args, { ORDERS_PASSWORD: password });
  expect(written).toMatchObject({ code: 0, stderr: '' });
  expect(written.stdout).toContain('Found 5.0.6: 3 shards, 6 nodes. Wrote deployments/orders.yaml.');
  const text = await readFile(join(folder, 'deployments', 'orders.yaml'), 'utf8');
  expect(text).not.toContain(password);
  const deployment = parseDeployment(text, 'orders.yaml', 'orders');
  expect(deployment.seeds[0]).toBe(seed);
  expect(deployment.credentials).toEqual({ password: 'env:ORDERS_PASSWORD' });

  const again = await init(args, { ORDERS_PASSWORD: password });
  expect(again.code).toBe(2);
  expect(again.stderr).toContain('orders.yaml exists already\n  Choose another --name, or overwrite it with --force.');
  const forced = await init([...args, '--force', '--json', '--renamed', 'CONFIG=env:CONFIG_NAME'], {
    ORDERS_PASSWORD: password,
    CONFIG_NAME: 'CONFIG',
  });
  expect(forced.code).toBe(0);
  expect(JSON.parse(forced.stdout)).toMatchObject({ deployment: 'orders', releases: ['5.0.6'], shards: 3, nodes: 6 });
  const renamed = await readFile(join(folder, 'deployments', 'orders.yaml'), 'utf8');
  expect(parseDeployment(renamed, 'orders.yaml').commands).toEqual({ CONFIG: 'env:CONFIG_NAME' });
});

test.each([
  ['no password given', () => [seed], {}, 5, 'wants a password\n  Say where it lies: --password-from env:NAME'],
  ['a wrong password', () => [seed, ...withPassword], { ORDERS_PASSWORD: 'x' }, 5, 'refused the password'],
  ['a password variable that is not set', () => [seed, ...withPassword], {}, 5, 'env:ORDERS_PASSWORD is not set'],
  ['the password itself', () => [seed, '--password-from', 'hunter2'], {}, 2, 'never the secret itself'],
  ['nobody there', () => ['127.0.0.1:1'], {}, 5, "127.0.0.1:1 can't be reached: connect ECONNREFUSED"],
  [
    'no port',
    () => ['localhost'],
    {},
    2,
    "expected host:port with a port from 1 to 65535, for example 10.0.0.4:6379, found 'localhost'",
  ],
  ['no cluster', () => [plain.nodes[0]?.address ?? ''], {}, 2, 'cluster'],
])('%s: one clear message, and no file', async (_, args, env, code, message) => {
  const result = await init([...args(), '--name', 'orders'], env);
  expect(result).toMatchObject({ code, stdout: '' });
  expect(result.stderr).toMatch(/^rollout: /);
  expect(result.stderr).toContain(message);
  expect(result.stderr).not.toContain('hunter2');
  expect(result.stderr).not.toMatch(/^\s+at /m);
  await expect(readFile(join(folder, 'deployments', 'orders.yaml'))).rejects.toThrow('ENOENT');
});

test('no name, and nobody to ask', async () => {
  const { code, stderr } = await init([seed, ...withPassword], { ORDERS_PASSWORD: password });
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: 'rollout: the deployment needs a name\n  Give it one: --name orders\n',
  });
});

test('a name that would lead out of the folder', async () => {
  await writeFile(join(folder, 'precious.yaml'), 'mine');
  const { code } = await init([seed, '--force', '--name', '../precious', ...withPassword], {
    ORDERS_PASSWORD: password,
  });
  expect(code).toBe(2);
  expect(await readFile(join(folder, 'precious.yaml'), 'utf8')).toBe('mine');
});
