// A worker's clock that jumps while it takes a backup: it is not lost for that, and not taken for an older or a newer one.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { BackupStore } from '../../integrations/backup-store.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import type { BackupManifest, BackupVerdict } from '../../model/backup-manifest.js';
import type { RestoreResult } from '../../model/backup-restore.js';
import { backupWorkflowId, operationId, pruneBackupsWorkflowId, TASK_QUEUE, verifyBackupWorkflowId } from '../../model/names.js'; // prettier-ignore
import type { PruneResult } from '../../model/pruning.js';
import { nodeWithClock } from '../../scripts/sandbox/clocks.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { Toxiproxy } from '../../scripts/sandbox/toxiproxy.js';
import { inBucket, openBackupStage } from '../e2e/stage/backups.js';

const HOUR = 3_600_000;
const KEYS = 50;

let folder: string;
let s3: S3Server;
let stage: Stage;
let cluster: Sandbox;
let setClock: (ms: number) => Promise<void>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-clock-'));
  s3 = await S3Server.start();
  const { program, set } = await nodeWithClock(folder);
  setClock = set;
  stage = await openBackupStage(s3, { node: program });
  cluster = await Sandbox.cluster({ release: '7.0', primaries: 1, replicasEach: 0 });
  for (let i = 0; i < KEYS; i++)
    await cluster.ask(cluster.nodes[0]?.address, 'SET', `large:${i}`, randomBytes(500_000).toString('latin1'));
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

const run = async (type: string, workflowId: string, more: object = {}): Promise<unknown> =>
  stage.client.workflow.execute(type, {
    ...{ workflowId, taskQueue: TASK_QUEUE, args: [{ deployment: 'orders', startedBy: 'ana', ...more }] },
  });

test('an hour forward, and two back, each in the middle of an upload', async () => {
  await using toxiproxy = await Toxiproxy.start();
  const proxy = await toxiproxy.proxy('s3', s3.address);
  await stage.deploy('orders', cluster, {
    backup: {
      ...inBucket(stage, s3, { endpoint: `http://${proxy.address}` }),
      retention: { hourly: 0, daily: 1, weekly: 0, monthly: 0, atLeast: '1d' },
    },
  });
  const parts = async (): Promise<number> => (await s3.files()).filter((file) => file.includes('.sgwtmp')).length;
  const taken: BackupManifest[] = [];
  for (const ms of [HOUR, -HOUR]) {
    const slow = await proxy.poison({ type: 'bandwidth', attributes: { rate: 8000 }, stream: 'upstream' });
    const begun = Date.now();
    const running = run('backup', backupWorkflowId('orders'));
    await until('a part is in', async () => (await parts()) > 0, 60_000);
    await setClock(ms);
    await proxy.cure(slow);
    const manifest = (await running) as BackupManifest;
    taken.push(manifest);
    expect(manifest.shards[0]).toMatchObject({ keys: KEYS });
    // When it was taken is said by Temporal's clock, and how long that took is no time that runs backwards.
    expect(Date.parse(manifest.startedAt)).toBeGreaterThan(begun - 60_000);
    expect(Date.parse(manifest.startedAt)).toBeLessThan(begun + 60_000);
    expect(Date.parse(manifest.endedAt)).toBeGreaterThanOrEqual(Date.parse(manifest.startedAt));
  }
  const [first, second] = taken;
  const store = await BackupStore.open(await loadDeployment('orders', stage.deployments));
  expect(await store.ids()).toEqual([second?.backup, first?.backup]);
  // An hour back: it is the newest all the same, proven, kept, and what a restore takes.
  expect((await run('verifyBackup', verifyBackupWorkflowId('orders'))) as BackupVerdict).toMatchObject({
    ...{ backup: second?.backup, result: 'restored' },
  });
  expect((await run('pruneBackups', pruneBackupsWorkflowId('orders'))) as PruneResult).toMatchObject({
    backups: [],
    stay: 2,
  });
  await cluster.ask(cluster.nodes[0]?.address, 'FLUSHALL');
  const restoring = run('restore', operationId('orders'), { rate: 20 });
  await until('some of it is written', async () => Number(await cluster.ask(cluster.nodes[0]?.address, 'DBSIZE')) > 5);
  await setClock(HOUR);
  expect((await restoring) as RestoreResult).toMatchObject({ backup: second?.backup, compared: [{ same: KEYS }] });
}, 480_000);
