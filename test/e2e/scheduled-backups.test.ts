// A backup that nobody took because nobody thought of it; and the one that was needed, pruned.
import { randomBytes } from 'node:crypto';
import { utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CreateMultipartUploadCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { BackupStore } from '../../integrations/backup-store.js';
import { backupTarget } from '../../integrations/backup-target.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { backupId, manifestObject, shardObject, type BackupManifest } from '../../model/backup-manifest.js';
import type { BackupTier } from '../../model/backup-tiers.js';
import { removalsFolder } from '../../model/backup-use.js';
import type { DeploymentFile } from '../../model/deployment.js';
import { backupScheduleId, backupWorkflowId, pruneBackupsWorkflowId, TASK_QUEUE } from '../../model/names.js';
import type { PruneResult } from '../../model/pruning.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import type { WorkerFault } from '../../scripts/sandbox/worker-faults.js';
import { alignSchedules } from '../../workers/schedules.js';
import type { ScheduledBackupResult } from '../../workflows/scheduled-backup.js';
import { inBucket, openBackupStage } from './stage/backups.js';
import { Dataset } from './stage/dataset.js';
import { thoroughly } from '../thorough.js';

const DAY = 86_400_000;

let s3: S3Server;
let stage: Stage;
beforeAll(async () => {
  s3 = await S3Server.start();
});
afterAll(() => s3[Symbol.asyncDispose]());
beforeEach(async () => {
  stage = await openBackupStage(s3);
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const toBucket = (more: Partial<DeploymentFile['backup']> = {}): DeploymentFile['backup'] => ({
  ...inBucket(stage, s3),
  ...more,
});
const storeOf = async (deployment: string): Promise<BackupStore> =>
  BackupStore.open(await loadDeployment(deployment, stage.deployments));

test('a schedule takes one, has it proven, and prunes what is not kept any longer', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  await Dataset.write(cluster, 50);
  const schedule = { tiers: ['daily' as const], prove: { daily: 2 } };
  await stage.deploy('daily', cluster, { backup: toBucket({ schedule, retention: { daily: 2, atLeast: '1ms' } }) });
  const [one] = await alignSchedules(stage.client.schedule, await loadDeployment('daily', stage.deployments));
  expect(one).toMatchObject({ id: 'redis/daily/backup/daily', change: 'created', paused: false });
  const handle = stage.client.schedule.getHandle(backupScheduleId('daily', 'daily'));
  const begun = async () => (await handle.describe()).info.recentActions;

  const results: ScheduledBackupResult[] = [];
  for (let n = 1; n <= 3; n++) {
    await handle.trigger();
    await until('the schedule has begun one', async () => (await begun()).length === n, 60_000);
    const { workflowId, firstExecutionRunId } = (await begun())[n - 1]?.action.workflow ?? {};
    expect(workflowId).toMatch(/^redis\/daily\/backup\/daily-\d{4}-/);
    results.push(
      (await stage.client.workflow.getHandle(workflowId ?? '', firstExecutionRunId).result()) as ScheduledBackupResult,
    );
  }
  expect(results.map(({ backup }) => backup)).toMatchObject(
    [1, 2, 3].map(() => ({ deployment: 'daily', tier: 'daily', startedBy: 'schedule' })),
  );
  expect(results.map(({ verdict }) => verdict?.result)).toEqual(['restored', undefined, 'restored']);
  // Of one day the newest counts; the newest proven one stays until there is another.
  const [first, second, third] = results.map(({ backup }) => backup.backup);
  expect(results.map(({ pruned }) => pruned.backups.map(({ backup }) => backup))).toEqual([[], [], [first, second]]);
  expect(await (await storeOf('daily')).ids()).toEqual([third]);

  const found = stage.client.workflow.list({
    query: `RedisDeployment = 'daily' AND RedisOperation = 'scheduledBackup'`,
  });
  await until('they can be searched for', async () => {
    let count = 0;
    for await (const _ of found) count += _.type === 'scheduledBackup' ? 1 : 0;
    return count === 3;
  });
}, 960_000);

thoroughly(
  'two prunes at once, a worker that dies before and after each act, and a prune that is run again',
  async () => {
    await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
    await Dataset.write(cluster, 20);
    await stage.deploy('old', cluster, {
      backup: toBucket({ retention: { hourly: 0, daily: 2, weekly: 0, monthly: 0 } }),
    });
    const real = (await stage.client.workflow.execute('backup', {
      ...{ workflowId: backupWorkflowId('old'), taskQueue: TASK_QUEUE, args: [{ deployment: 'old' }] },
    })) as BackupManifest;
    const store = await storeOf('old');
    const target = await backupTarget((await loadDeployment('old', stage.deployments)).backup);

    /** As it would lie there if it had been taken so long ago. */
    async function aged(days: number, tier?: BackupTier): Promise<string> {
      const startedAt = new Date(Date.now() - days * DAY).toISOString();
      const backup = backupId(startedAt, `${String(days).padStart(4, '0')}ffff`);
      const [shard] = real.shards;
      if (!shard) throw new Error('there is no shard');
      const object = shardObject('old', backup, 'shard-1');
      await target.put(object, target.get(shard.object));
      const about = { ...real, backup, startedAt, endedAt: startedAt, shards: [{ ...shard, object }] };
      await store.putManifest(tier === undefined ? about : { ...about, tier });
      return backup;
    }
    const [dailies, asked] = [
      [await aged(40, 'daily'), await aged(41, 'daily'), await aged(42, 'daily')],
      await aged(31),
    ];
    const young = await aged(29);
    const [left, uploading, fresh] = [32, 33, 0].map((days) =>
      backupId(new Date(Date.now() - days * DAY).toISOString(), '0badcafe'),
    ) as [string, string, string];
    const ago = new Date(Date.now() - 2 * DAY);
    for (const backup of [left, fresh]) await target.put(shardObject('old', backup, 'shard-1'), bytes());
    await utimes(s3.file(shardObject('old', left, 'shard-1')), ago, ago);
    for (const backup of [uploading, fresh]) await upload(shardObject('old', backup, 'shard-1'));
    const parts = (await s3.files()).filter((file) => file.includes('.sgwtmp'));
    for (const file of parts)
      if (await isOf(file, uploading)) for (const at of [file, dirname(file)]) await utimes(at, ago, ago);

    const kills = ['planPrune', 'removeBackup', 'removeLeftover'].flatMap((activity) =>
      (['before', 'after'] as const).map((when) => ({ activity, when, kind: 'kill' }) as WorkerFault),
    );
    await stage.faults.draw(...kills);
    stage.keepWorker();
    const prune = (workflowId: string): Promise<PruneResult> =>
      stage.client.workflow.execute('pruneBackups', {
        ...{ workflowId, taskQueue: TASK_QUEUE, args: [{ deployment: 'old', startedBy: 'ana' }] },
      }) as Promise<PruneResult>;
    const both = await Promise.all([prune(pruneBackupsWorkflowId('old')), prune('redis/old/another-prune')]);

    expect(await stage.faults.unfired()).toEqual([]);
    const stay = [real.backup, young, dailies[0], dailies[1]];
    expect(await store.ids()).toEqual(stay);
    const gone = [dailies[2], asked];
    for (const { backups } of both)
      for (const { backup, state } of backups) expect([gone.includes(backup), state]).toEqual([true, 'removed']);
    expect(new Set(both.flatMap(({ backups }) => backups.map(({ backup }) => backup)))).toEqual(new Set(gone));
    expect((await target.list('old/')).filter((it) => gone.some((backup) => it.includes(backup ?? '')))).toEqual([]);
    // What may still be worked at is left; what nobody can be working at is gone.
    // A worker that died while it removed something for one prune may have done so for the other: that word stays for a day.
    const others = (await target.list('old/')).filter((it) => !it.startsWith(removalsFolder('old')));
    expect(others.filter((it) => !stay.some((backup) => it.includes(backup ?? '')))).toEqual([
      shardObject('old', fresh, 'shard-1'),
    ]);
    expect((await target.unfinished('old/')).map(({ object }) => object)).toEqual([
      shardObject('old', fresh, 'shard-1'),
    ]);
    expect(await prune(pruneBackupsWorkflowId('old'))).toMatchObject({ stay: 4, backups: [], leftovers: [] });

    // A half that was removed is no backup: its manifest goes first.
    await target.remove(manifestObject('old', young));
    expect(await store.ids()).not.toContain(young);
  },
  960_000,
);

// eslint-disable-next-line @typescript-eslint/require-await -- a stream of one piece
async function* bytes(): AsyncGenerator<Buffer, void, void> {
  yield randomBytes(1000);
}

const client = (): S3Client => {
  const { accessKeyId, secretAccessKey } = s3;
  const credentials = { accessKeyId, secretAccessKey };
  return new S3Client({ region: 'us-east-1', endpoint: s3.endpoint, forcePathStyle: true, credentials });
};
const uploads = new Map<string, string>();
async function upload(Key: string): Promise<void> {
  const { UploadId = '' } = await client().send(new CreateMultipartUploadCommand({ Bucket: s3.bucket, Key }));
  uploads.set(Key, UploadId);
  await client().send(
    new UploadPartCommand({ ...{ Bucket: s3.bucket, Key, UploadId, PartNumber: 1 }, Body: randomBytes(1000) }),
  );
}
const isOf = (file: string, backup: string): Promise<boolean> =>
  Promise.resolve(file.includes(uploads.get(shardObject('old', backup, 'shard-1')) ?? 'none'));
