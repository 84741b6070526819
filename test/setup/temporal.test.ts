import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTemporal } from '../../scripts/setup/temporal.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rollout-temporal-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a restarted server with the same file still knows the workflow and its search attribute', async () => {
  const dbFile = join(folder, 'temporal.db');
  const first = await startTemporal({ dbFile });
  const port = Number(first.address.split(':')[1]);
  await start(first.address, 'redis/orders');
  await first.stop();
  expect(await listens(port), 'nothing is left on the port').toBe(false);

  const second = await startTemporal({ dbFile, port });
  try {
    expect(second.address).toBe(first.address);
    const connection = await Connection.connect({ address: second.address });
    const description = await new Client({ connection }).workflow.getHandle('redis/orders').describe();
    expect(description.status.name).toBe('RUNNING');
    expect(description.typedSearchAttributes.get(deployment)).toBe('orders');
    await connection.close();
  } finally {
    await second.stop();
    await second.stop();
  }
});

test('the web UI is served where its address says', async () => {
  const server = await startTemporal({ ui: true });
  try {
    const page = await fetch(server.uiUrl ?? '');
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('<html');
  } finally {
    await server.stop();
  }
});

test('a port on which another Temporal listens is refused, not mistaken for the new server', async () => {
  const first = await startTemporal();
  try {
    await expect(startTemporal({ port: Number(first.address.split(':')[1]) })).rejects.toThrow(/port \d+ .*is taken/);
  } finally {
    await first.stop();
  }
});

test('the time-skipping server listens on loopback alone', async () => {
  const server = await startTemporal({ timeSkipping: true });
  try {
    const port = Number(server.address.split(':')[1]);
    const elsewhere = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ family, internal }) => family === 'IPv4' && !internal);
    for (const { address } of elsewhere) expect(await listens(port, address), address).toBe(false);
    expect(await listens(port)).toBe(true);
  } finally {
    await server.stop();
  }
});

const deployment = defineSearchAttributeKey('RedisDeployment', SearchAttributeType.KEYWORD);

async function start(address: string, workflowId: string): Promise<void> {
  const connection = await Connection.connect({ address });
  await new Client({ connection }).workflow.start('upgrade', {
    taskQueue: 'nobody-listens',
    workflowId,
    args: [{}],
    typedSearchAttributes: [{ key: deployment, value: 'orders' }],
  });
  await connection.close();
}

function listens(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
