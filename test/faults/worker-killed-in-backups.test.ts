/**
 * A worker that dies at any moment of a backup, its proof, a prune, a restore or a drill: each comes to its end all the same,
 * with nothing lost, nothing twice, and nothing left behind.
 *
 * `SEED=n` draws the same moments again (it stands in the test's name). `npm test -- --thorough` kills twice in each.
 */
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BackupStore } from '../../integrations/backup-store.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { backupId, shardObject } from '../../model/backup-manifest.js';
import type { RestoreResult } from '../../model/backup-restore.js';
import type { DrillRecord } from '../../model/drill.js';
import { drillWorkflowId, operationId, pruneBackupsWorkflowId, TASK_QUEUE } from '../../model/names.js';
import type { BackupActivities, DrillActivities, RestoreActivities } from '../../model/backup-work.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import type { WorkerFault } from '../../scripts/sandbox/worker-faults.js';
import type { ScheduledBackupResult } from '../../workflows/scheduled-backup.js';
import { seed } from '../redis/follow/random-run.js';
import { drawing } from '../redis/rewrite/random-commands.js';
import { thorough } from '../thorough.js';
import { encryption, openBackupStage } from '../e2e/stage/backups.js';
import { Dataset } from '../e2e/stage/dataset.js';

type Activity = keyof (BackupActivities & RestoreActivities & DrillActivities);

/** Those of the archive are killed in its own tests. */
const places: Partial<Record<Activity, 'scheduled' | 'brought back'>> = {
  beginBackup: 'scheduled',
  sealShard: 'scheduled',
  endBackup: 'scheduled',
  chooseProof: 'scheduled',
  readBackup: 'scheduled',
  proveShard: 'scheduled',
  recordVerdict: 'scheduled',
  planPrune: 'scheduled',
  removeBackup: 'scheduled',
  removeLeftover: 'scheduled',
  beginRestore: 'brought back',
  forecastShard: 'brought back',
  loadShard: 'brought back',
  countWrites: 'brought back',
  compareShard: 'brought back',
  rehearseRecovery: 'brought back',
  recordDrill: 'brought back',
};

const draw = drawing(seed);
/** Right before the nth thing that is done to the world, or at the end where it is fewer; or when nobody hears of it any more. */
const moment = (): Pick<WorkerFault, 'when' | 'at'> =>
  draw(4) === 0 ? { when: 'after' } : { when: 'during', at: 1 + draw(draw(2) === 0 ? 4 : 40) };
const killsIn = (place: 'scheduled' | 'brought back'): WorkerFault[] =>
  (Object.keys(places) as Activity[])
    .filter((activity) => places[activity] === place)
    .flatMap((activity) =>
      Array.from({ length: thorough ? 2 : 1 }, (): WorkerFault => ({ activity, kind: 'kill', ...moment() })),
    );

let stage: Stage;
beforeEach(async () => {
  stage = await openBackupStage();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const run = (type: string, workflowId: string, more: object = {}) =>
  stage.client.workflow.execute(type, {
    ...{ workflowId, taskQueue: TASK_QUEUE, args: [{ deployment: 'orders', startedBy: 'ana', ...more }] },
  });

test(`at a moment of each activity that is drawn, SEED=${seed}`, async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const dataset = await Dataset.write(cluster, 200);
  const folder = join(stage.root, 'target');
  await stage.deploy('orders', cluster, {
    backup: {
      ...{ directory: join(stage.root, 'backups'), encryption, target: { kind: 'folder', folder } },
      schedule: { tiers: ['daily'], prove: { daily: 1 } },
      retention: { hourly: 0, daily: 1, weekly: 0, monthly: 0, atLeast: '1ms' },
    },
    drill: { nodeTimeout: '1500ms', failures: false },
  });
  const scheduled = async (n: number): Promise<ScheduledBackupResult> =>
    (await run('scheduledBackup', `redis/orders/backup/daily-${n}`, { tier: 'daily' })) as ScheduledBackupResult;
  const first = await scheduled(1);
  const failed = await leftBehind(folder);
  await stage.faults.draw(...killsIn('scheduled'));
  stage.keepWorker(2);

  const second = await scheduled(2);

  expect(await stage.faults.unfired()).toEqual([]);
  expect(second).toMatchObject({ verdict: { result: 'restored', shards: [{ keys: 200 }] } });
  expect(second.pruned.backups).toMatchObject([{ backup: first.backup.backup, state: 'removed' }]);
  expect(second.pruned.leftovers).toMatchObject([{ backup: failed, state: 'removed' }]);
  const { backup } = second.backup;
  const store = await BackupStore.open(await loadDeployment('orders', stage.deployments));
  expect(await store.ids()).toEqual([backup]);
  expect((await readdir(join(folder, 'orders', backup))).sort()).toEqual([
    ...['manifest.json', 'shard-1.rdb.gz.sealed', 'verdict.json'],
  ]);

  for (const { address } of cluster.nodes.slice(0, 1)) await cluster.ask(address, 'FLUSHALL');
  await stage.faults.draw(...killsIn('brought back'));
  const [restored, drill] = (await Promise.all([
    run('restore', operationId('orders')),
    run('drDrill', drillWorkflowId('orders')),
  ])) as [RestoreResult, DrillRecord];

  expect(await stage.faults.unfired()).toEqual([]);
  expect(restored).toMatchObject({ compared: [{ same: 200, different: 0, missing: 0 }] });
  await dataset.expectSame(1500);
  expect(drill).toMatchObject({ backup, passed: true, keys: 200 });
  expect((await readdir(join(folder, 'orders', 'drills'))).length).toBe(1);
  // What a worker was writing as it died is ended by the first prune a day later.
  const begun = async (): Promise<string[]> =>
    (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.partial'));
  const ago = new Date(Date.now() - 2 * 86_400_000);
  for (const name of await begun()) await utimes(join(folder, name), ago, ago);
  await run('pruneBackups', pruneBackupsWorkflowId('orders'));
  expect(await begun()).toEqual([]);
  await until('no server of a dead worker is left', async () => (await scratchServers()) === 0);
}, 1_800_000);

/** What a backup left that failed two days ago. */
async function leftBehind(folder: string): Promise<string> {
  const ago = new Date(Date.now() - 2 * 86_400_000);
  const backup = backupId(ago.toISOString(), '0badcafe');
  const file = join(folder, shardObject('orders', backup, 'shard-1'));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, 'half');
  await utimes(file, ago, ago);
  return backup;
}

/** Servers of this project's scratch folders that nobody's worker has any more, by their command lines. */
async function scratchServers(): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '')));
  const workers = lines.map((line) => /redis-rollout-scratch-(\d+)-/.exec(line)?.[1]).filter((it) => it !== undefined);
  const dead = (await stage.faults.fired()).map(({ pid }) => String(pid));
  return workers.filter((pid) => dead.includes(pid)).length;
}
