// Slots that move while they are archived: a moment that is taken for one of theirs, and has half of the keys.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ArchiveStore } from '../../integrations/archive-store.js';
import { BackupStore } from '../../integrations/backup-store.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { coverageOf } from '../../model/archive-coverage.js';
import { archiveWorkflowId, TASK_QUEUE, verifyBackupWorkflowId } from '../../model/names.js';
import { windowsOf } from '../../model/recovery.js';
import type { PointVerdict } from '../../model/recovery-point.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';
import { failureOf, inBucket, openBackupStage } from '../e2e/stage/backups.js';

test('their lines end; new ones begin with a backup, and moments of both sides can be had, none in between', async () => {
  await using s3 = await S3Server.start();
  await using stage = await openBackupStage(s3);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  await using cluster = await Sandbox.cluster({
    ...{ release: '7.0', primaries: 2, replicasEach: 0 },
    configuration: ['repl-diskless-sync-delay 0', 'repl-ping-replica-period 1'],
  });
  await stage.deploy('orders', cluster, { backup: inBucket(stage, s3, { prefix: randomBytes(4).toString('hex') }) });
  const deployment = await loadDeployment('orders', stage.deployments);
  const [backups, archive] = [await BackupStore.open(deployment), await ArchiveStore.open(deployment)];
  const start = (type: string, workflowId: string, more: object = {}) =>
    stage.client.workflow.start(type, {
      ...{ workflowId, taskQueue: TASK_QUEUE, args: [{ deployment: 'orders', startedBy: 'ana', ...more }] },
    });
  const found = async () => windowsOf(await backups.manifests(), await archive.segments());
  const reaches = (ms: number): Promise<void> =>
    until(
      `every shard can be had at ${new Date(ms).toISOString()}`,
      async () => {
        const windows = await found();
        if (windows.some(({ from, to }) => from <= ms && ms <= to)) return true;
        throw new Error(JSON.stringify([windows, coverageOf(await archive.segments())]));
      },
      120_000,
    );
  const verify = async (ms: number) => start('verifyBackup', verifyBackupWorkflowId('orders'), { at: new Date(ms).toISOString() }); // prettier-ignore
  const keysAt = async (ms: number): Promise<number> => {
    const { shards } = (await (await verify(ms)).result()) as PointVerdict;
    return shards.reduce((sum, it) => sum + it.keys, 0);
  };
  const running = await start('archive', archiveWorkflowId('orders'));
  await until('a backup lies in it', async () => (await found()).length > 0, 120_000);
  const clients = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
  clients.on('error', () => undefined);
  onTestFinished(() => clients.disconnect());
  for (let i = 0; i < 50; i++) await clients.set(`before:${i}`, 'x');
  // A moment is when it came to the archive.
  await sleep(1000);
  const before = Date.now();
  await reaches(before);

  const [from, to] = cluster.nodes.map(({ address }) => address);
  const [fromId, toId] = [await cluster.ask(from, 'CLUSTER', 'MYID'), await cluster.ask(to, 'CLUSTER', 'MYID')].map(
    String,
  );
  const [host = '', port = ''] = (to ?? '').split(':');
  for (let slot = 0; slot < 100; slot++) {
    await cluster.ask(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId ?? '');
    await cluster.ask(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId ?? '');
    const keys = (await cluster.ask(from, 'CLUSTER', 'GETKEYSINSLOT', slot, 1000)) as string[];
    for (const key of keys) await cluster.ask(from, 'MIGRATE', host, port, key, 0, 5000);
    for (const address of [to, from]) await cluster.ask(address, 'CLUSTER', 'SETSLOT', slot, 'NODE', toId ?? '');
  }
  for (let i = 0; i < 50; i++) await clients.set(`after:${i}`, 'x');
  const moved = Date.now();
  await until('the new lines are begun', async () => coverageOf(await archive.segments()).length === 4, 120_000);
  await until('a backup lies in them', async () => (await found()).some(({ from }) => from > moved), 120_000);
  const windows = await found();
  const begins = Math.min(...windows.flatMap(({ from }) => (from > moved ? [from] : [])));
  // The old lines end when it is noticed, and until then what they have is what was there.
  const ended = Math.max(...windows.flatMap(({ from, to }) => (from <= moved ? [to] : [])));
  const after = Date.now();
  await reaches(after);

  expect(await keysAt(before)).toBe(50);
  expect(await keysAt(after)).toBe(100);
  expect(ended).toBeLessThan(begins - 1);
  const between = Math.round((ended + begins) / 2);
  expect((await failureOf((await verify(between)).result())).message).toMatch(
    /The nearest that can be had: before it 20.*, after it 20/,
  );
  const slots = coverageOf(await archive.segments()).map(({ slots: it }) => it);
  expect(slots.sort()).toEqual(['0-8191', '0-99_8192-16383', '100-8191', '8192-16383']);
  await running.cancel();
  await running.result().catch(() => undefined);
}, 600_000);
