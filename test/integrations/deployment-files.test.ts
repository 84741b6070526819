// A workflow that names a deployment which isn't there, or a path instead of a name.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { listDeployments, loadDeployment, readDeploymentFile } from '../../integrations/deployment-files.js';

const text = (name: string): string =>
  `name: ${name}\ntopology: cluster\nseeds: [a:1]\nplatform: { kind: process }\nbackup: { directory: /b }\n`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-deployments-'));
  await writeFile(join(folder, 'orders.yaml'), text('orders'));
  await writeFile(join(folder, 'payments.yaml'), text('payments'));
  await writeFile(join(folder, 'notes.txt'), 'no deployment');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

test('a deployment is found by its name, in ROLLOUT_DEPLOYMENTS when no folder is given', async () => {
  expect((await loadDeployment('orders', folder)).name).toBe('orders');
  vi.stubEnv('ROLLOUT_DEPLOYMENTS', folder);
  expect((await loadDeployment('payments')).name).toBe('payments');
  expect(await listDeployments()).toEqual(['orders', 'payments']);
});

test('an unknown one: those that are there, and the one that was meant', async () => {
  await expect(loadDeployment('ordres', folder)).rejects.toMatchObject({
    type: 'UnknownDeployment',
    retryable: false,
    message: `no deployment 'ordres' in ${folder}: there are orders, payments; did you mean 'orders'?`,
  });
  await expect(loadDeployment('orders', join(folder, 'none'))).rejects.toThrow(/there are none$/);
});

test.each(['../secrets', '/etc/passwd', 'orders.yaml', 'sub/orders', '', 'Orders', 'a\u0000b'])(
  '%j is no name, whatever lies there',
  async (name) => {
    await mkdir(join(folder, 'sub'));
    await writeFile(join(folder, 'sub', 'orders.yaml'), text('orders'));
    await expect(loadDeployment(name, folder)).rejects.toMatchObject({
      type: 'UnknownDeployment',
      message: expect.stringContaining("expected a deployment's name") as string,
    });
  },
);

test('a file whose name is another’s is refused: the id of the operation, its lock, would be another’s too', async () => {
  await writeFile(join(folder, 'copy.yaml'), text('orders'));
  await expect(loadDeployment('copy', folder)).rejects.toMatchObject({
    type: 'BadDeploymentFile',
    message: expect.stringContaining("1:7  name: expected 'copy', the name of the file, found 'orders'") as string,
  });
});

test('a file that can’t be read is said to be that, not to be missing', async () => {
  await mkdir(join(folder, 'folder.yaml'));
  await expect(loadDeployment('folder', folder)).rejects.toMatchObject({ type: 'BadDeploymentFile' });
});

test('a path, as a person gives it on the command line', async () => {
  expect((await readDeploymentFile(join(folder, 'orders.yaml'))).name).toBe('orders');
  await expect(readDeploymentFile(join(folder, 'none.yaml'))).rejects.toMatchObject({ type: 'UnknownDeployment' });
});
