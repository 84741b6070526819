import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeDeployment } from '../../../model/deployment-template.js';
import type { Plan } from '../../../model/plan.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { rollout } from './stage/cli.js';

let cluster: Sandbox;
let folder: string;

beforeAll(async () => {
  cluster = await Sandbox.cluster({ release: '5.0.6' });
  folder = await mkdtemp(join(tmpdir(), 'rollout-plan-'));
  await mkdir(join(folder, 'deployments'));
  await write('orders', [cluster.nodes[0]?.address ?? '']);
});
afterAll(async () => {
  await cluster.stop();
  await rm(folder, { recursive: true });
});

const file = (name: string): string => join(folder, 'deployments', `${name}.yaml`);
const write = (name: string, seeds: string[], password?: string): Promise<void> =>
  writeFile(
    file(name),
    writeDeployment({
      ...{ name, seeds, release: '5.0.6', shards: 3, nodes: 6, backupDirectory: join(folder, 'backups') },
      ...(password === undefined ? {} : { password }),
    }),
  );
const plan = (which: string, to: string, ...more: string[]) =>
  rollout(['plan', which, '--to', to, ...more], { cwd: folder, env: { ORDERS_PASSWORD: 'wrong' } });

test('by name and by path, as text and as JSON: the steps of every shard, and nothing is touched', async () => {
  const before = await fingerprint();
  const text = await plan('orders', '8.0');
  expect(text).toMatchObject({ code: 0, stderr: '' });
  expect(text.stdout).toContain('orders: 5.0.6 → 8.0.');
  for (const shard of ['shard-1', 'shard-2', 'shard-3']) expect(text.stdout).toContain(`${shard} slots`);
  expect(text.stdout).toMatch(/1 +upgrade replica +127\.0\.0\.1:\d+ +5\.0\.6 → 8\.0\.\d+ +2 → 1/);
  expect(text.stdout).toMatch(/topology +pass/);
  const json = await plan(file('orders'), '8.0', '--json');
  const found = JSON.parse(json.stdout) as Plan;
  expect(found).toMatchObject({ deployment: 'orders', from: '5.0.6', nodes: 6 });
  expect(found.gates.map(({ gate }) => gate)).toEqual(['topology', 'replication', 'lag', 'memory', 'disk', 'clock']);
  expect(await fingerprint()).toEqual(before);
});

/** What a plan must leave as it is: every node's own view, configuration and files. */
async function fingerprint(): Promise<unknown> {
  return Promise.all(
    cluster.nodes.map(async (node) => {
      await using connection = await cluster.connect(node);
      const nodes = String(await connection.call('CLUSTER', 'NODES')).split('\n');
      return {
        configuration: await connection.call('CONFIG', 'GET', '*'),
        roles: nodes.map((line) => line.split(' ').slice(0, 4).join(' ')).toSorted(),
        file: await readFile(join(node.home, 'redis.conf'), 'utf8'),
      };
    }),
  );
}

test('a pair that can’t share a bus is blocked, with the ways that work', async () => {
  const { code, stdout, stderr } = await plan('orders', '7.2');
  expect(code).toBe(2);
  expect(stdout).toContain('Blocked: no step of it would be carried out.');
  expect(stdout).not.toContain('upgrade replica');
  expect(stderr).toMatch(/^rollout: orders can't be upgraded to 7\.2 as it stands\n/);
  expect(stderr).toContain('redis#13401');
  expect(stderr).toContain('rollout plan orders --to 8.0');
});

test.each([
  ['the release that runs already', '5.0.6'],
  ['an older one', '5.0.5'],
])('%s is no target', async (_, to) => {
  expect((await plan('orders', to)).code).toBe(2);
});

test('what is no release says what one looks like', async () => {
  const { code, stderr } = await plan('orders', 'latest');
  expect(code).toBe(2);
  expect(stderr).toContain("'latest' is no release: expected for example 8.0, 7.2.4 or valkey-9.1");
});

test('an unknown deployment names those that there are', async () => {
  const { code, stderr } = await plan('order', '8.0');
  expect(code).toBe(2);
  expect(stderr).toContain("no deployment 'order'");
  expect(stderr).toContain("did you mean 'orders'?");
});

test('a malformed file is told line by line', async () => {
  await writeFile(join(folder, 'bad.yaml'), 'name: orders\ntopology: clutser\nseeds: [nowhere]\n');
  const { code, stdout, stderr } = await plan('./bad.yaml', '8.0', '--json');
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  const { error } = JSON.parse(stderr) as { error: { kind: string; message: string } };
  expect(error.kind).toBe('usage');
  expect(error.message).toContain("2:11  topology: expected cluster, found 'clutser'");
  expect(error.message).toContain('3:9  seeds[0]');
});

test('seeds that nobody listens on', async () => {
  await write('gone', ['127.0.0.1:1']);
  const { code, stderr } = await plan('gone', '8.0');
  expect(code).toBe(5);
  expect(stderr).toContain("127.0.0.1:1 can't be reached");
});

// The last one: the cluster has a password from here on.
test('a wrong password, and none where one is wanted', async () => {
  await Promise.all(
    cluster.nodes.map(async (node) => {
      await using connection = await cluster.connect(node);
      await connection.call('CONFIG', 'SET', 'masterauth', 'right');
      await connection.call('CONFIG', 'SET', 'requirepass', 'right');
    }),
  );
  await write('locked', [cluster.nodes[0]?.address ?? ''], 'env:ORDERS_PASSWORD');
  const [wrong, none] = await Promise.all([plan('locked', '8.0'), plan('orders', '8.0')]);
  expect([wrong.code, none.code]).toEqual([5, 5]);
  expect(wrong.stderr).toContain('refused the password of the default user');
  expect(none.stderr).toContain('wants a password, and the deployment file names none');
});
