// What somebody is restoring just now, pruned under his hands; and an archive that grows for ever, or loses what it is there for.
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { ArchiveStore } from '../../integrations/archive-store.js';
import { BackupStore } from '../../integrations/backup-store.js';
import { BackupUses } from '../../integrations/backup-uses.js';
import { backupTarget } from '../../integrations/backup-target.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { stretchesOf } from '../../model/archive.js';
import { backupId, type BackupManifest, type BackupVerdict } from '../../model/backup-manifest.js';
import { backupWorkflowId, pruneBackupsWorkflowId, TASK_QUEUE, verifyBackupWorkflowId } from '../../model/names.js';
import type { PrunePlan, PruneResult } from '../../model/pruning.js';
import { windowsOf } from '../../model/recovery.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { rollout as runCli } from '../scripts/rollout/stage/cli.js';
import { inBucket, openBackupStage } from './stage/backups.js';
import { Dataset } from './stage/dataset.js';

const DAY = 86_400_000;
const HALF_HOUR = 1_800_000;
const SLOTS = '0-16383';
const replid = 'a'.repeat(40);

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

test('a prune beside a verification, a reader of the archive, and workers that die: each goes when nobody needs it', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  await Dataset.write(cluster, 20);
  const retention = { hourly: 0, daily: 1, weekly: 0, monthly: 0, atLeast: '1ms' };
  await stage.deploy('old', cluster, { backup: { ...inBucket(stage, s3), retention, archive: { keep: '3d' } } });
  const start = <Result>(type: string, workflowId: string, more: object = {}): Promise<Result> =>
    stage.client.workflow.execute(type, {
      ...{ workflowId, taskQueue: TASK_QUEUE, args: [{ deployment: 'old', startedBy: 'ana', ...more }] },
    }) as Promise<Result>;
  const real = await start<BackupManifest>('backup', backupWorkflowId('old'));
  const deployment = await loadDeployment('old', stage.deployments);
  const [store, archive] = [await BackupStore.open(deployment), await ArchiveStore.open(deployment)];
  const target = await backupTarget(deployment.backup);
  const keys = await store.keys();
  const now = Date.now();

  /** As it would lie there if it had been taken so long ago. Of the archive one byte is written each minute. */
  const minute = (ms: number): number => Math.floor(ms / 60_000);
  async function aged(days: number): Promise<string> {
    const taken = now - days * DAY + HALF_HOUR;
    const startedAt = new Date(taken).toISOString();
    const backup = backupId(startedAt, `${String(days).padStart(4, '0')}ffff`);
    const [shard] = real.shards;
    if (!shard) throw new Error('there is no shard');
    const snapshot = store.getShard(real.backup, shard, keys);
    const { object, ...sealed } = await store.putShard({ backup, shard: 'shard-1', keys }, snapshot);
    const at = { replid, offset: minute(taken), cutAt: startedAt, endedAt: startedAt };
    const shards = [{ ...shard, object, sealed, ...at }];
    await store.putManifest({ ...real, backup, startedAt, endedAt: startedAt, tier: 'hourly', shards });
    return backup;
  }
  const [nine, seven, five, two] = [await aged(9), await aged(7), await aged(5), await aged(2)];
  const half = DAY / 2;
  for (let from = now - 10 * DAY; from < now; from += half) {
    const [first, end] = [minute(from) + 1, minute(from + half)];
    const segment = { slots: SLOTS, line: 'line-1', first, end, from, to: from + half, replid, release: '7.0.15' };
    const header = { format: 1 as const, first, replid, release: '7.0.15', node: 'x', role: 'replica' as const, aligned: true }; // prettier-ignore
    await archive.put(segment, { header, records: [{ at: from, first, bytes: randomBytes(end - first + 1) }], keys });
  }
  const begins = async (): Promise<number[]> =>
    stretchesOf(await archive.segments()).map(
      ({ segments }) => Math.round((now - (segments[0]?.from ?? 0)) / half) / 2,
    );
  expect(await begins()).toEqual([10]);

  // Two read: one a backup, and one, of a Temporal that is not this one, the archive behind another.
  await stage.faults.draw({ activity: 'proveShard', when: 'before', kind: 'hold' });
  const verifying = start<BackupVerdict>('verifyBackup', verifyBackupWorkflowId('old'), { backup: nine });
  await stage.faults.held();
  const uses = await BackupUses.open(deployment);
  const other = {
    format: 1 as const,
    backup: seven,
    namespace: 'elsewhere',
    workflowId: 'redis/copy',
    runId: 'its-run',
  };
  await uses.hold(other);
  const planned = await runCli(['backups', 'prune', 'old', '--dry-run', '--json'], {
    env: { ...stage.environment, ROLLOUT_DEPLOYMENTS: stage.deployments },
  });
  const plan = JSON.parse(planned.stdout) as PrunePlan;
  expect(plan.backups.map(({ backup, stays }) => [backup, stays])).toEqual([
    [real.backup, true],
    [two, false],
    [five, true],
    [seven, false],
    [nine, false],
  ]);
  expect(plan.backups[2]?.reason).toBe('what is kept of the archive begins with it');
  expect(plan.backups[4]?.reason).toMatch(/; not while redis\/old\/verify-backup reads it$/);
  expect(plan.archive).toMatchObject({ stays: 10, goes: { segments: 10 } });
  expect(await begins()).toEqual([10]);

  const whole = windowsOf(await store.manifests(), await archive.segments());
  const prune = (): Promise<PruneResult> => start('pruneBackups', pruneBackupsWorkflowId('old'));
  const first = await prune();
  expect(first.backups).toEqual([
    { backup: nine, state: 'needed', reason: 'redis/old/verify-backup is reading it' },
    { backup: seven, state: 'needed', reason: expect.stringMatching(/^redis\/copy may be reading it until 20/) as string }, // prettier-ignore
    { backup: two, state: 'removed', reason: expect.stringMatching(/newer/) as string },
  ]);
  // What lies behind the older of the two is read, too: of a day and less the archive is older than both.
  expect(first.archive).toMatchObject({ segments: 2 });
  expect(await begins()).toEqual([9]);
  await stage.faults.letGo();
  expect(await verifying).toMatchObject({ backup: nine, result: 'restored' });

  // The worker dies before, in the middle of, and after what goes now.
  await uses.forget(other);
  const kills = ['removeBackup', 'pruneArchive'] as const;
  await stage.faults.draw(
    ...kills.flatMap((activity) =>
      (['before', 'after'] as const).map((when) => ({ activity, when, kind: 'kill' as const })),
    ),
    { activity: 'pruneArchive', when: 'during', kind: 'kill', at: 3 },
  );
  stage.keepWorker();
  const second = await prune();
  expect(await stage.faults.unfired()).toEqual([]);
  // The older one was proven meanwhile, and stays as the newest that is.
  expect(second.backups.map(({ backup, state }) => [backup, state])).toEqual([[seven, 'removed']]);
  expect(await begins()).toEqual([5]);
  expect(await store.ids()).toEqual([real.backup, five, nine]);
  expect(await target.list('old/in-use/')).toEqual([]);
  const [window] = windowsOf(await store.manifests(), await archive.segments());
  expect(window).toEqual(whole.find(({ backup }) => backup === five));
  const again = await prune();
  expect(again).toMatchObject({ stay: 3, backups: [] });
  expect(again.archive).toBeUndefined();
}, 480_000);
