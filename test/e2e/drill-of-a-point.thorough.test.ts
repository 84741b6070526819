// A drill that measures the backup where the archive is what would be restored.
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { ArchiveStore } from '../../integrations/archive-store.js';
import { BackupStore } from '../../integrations/backup-store.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { archiveWorkflowId, TASK_QUEUE } from '../../model/names.js';
import { reachOf } from '../../model/recovery.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { openBackupStage } from './stage/backups.js';
import { deployDrilled, drillAt, foundBy, rolloutAt } from './stage/drills.js';

let stage: Stage;
beforeEach(async () => {
  stage = await openBackupStage();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

async function reach(): Promise<number> {
  const deployment = await loadDeployment('orders', stage.deployments);
  const backups = await (await BackupStore.open(deployment)).manifests();
  const found = reachOf({ backups, segments: await (await ArchiveStore.open(deployment)).segments() }, Date.now());
  return found?.by === 'archive' ? found.at : -Infinity;
}

test('with an archive the newest point is restored, the recovery point is how far it reaches, and any other can be', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', configuration: ['repl-diskless-sync-delay 0'] });
  await deployDrilled(stage, cluster, { objectives: { recoveryTime: '10m', recoveryPoint: '1m' } });
  const clients = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
  clients.on('error', () => undefined);
  onTestFinished(() => clients.disconnect());
  const write = async (name: string): Promise<void> => {
    for (let i = 0; i < 60; i++) await clients.set(`${name}:${i}`, String(i));
  };
  await write('before');
  await stage.client.workflow.start('archive', {
    ...{ workflowId: archiveWorkflowId('orders'), taskQueue: TASK_QUEUE, args: [{ deployment: 'orders' }] },
  });
  await until('a backup lies in the archive', async () => (await reach()) > 0, 90_000);
  await write('since');
  await sleep(2);
  const written = Date.now();
  await until('what was written is archived', async () => (await reach()) >= written, 60_000);
  for (const { address } of cluster.nodes.slice(0, 3)) await cluster.ask(address, 'FLUSHALL');
  const flushed = Date.now();
  await until('so is that all was deleted', async () => (await reach()) >= flushed, 60_000);

  const newest = await drillAt(stage);
  expect(newest).toMatchObject({ keys: 0, passed: true, recoveryPoint: { by: 'archive', objectiveMs: 60_000 } });
  expect(Date.parse(newest.recoveryPoint.reaches ?? '')).toBeGreaterThanOrEqual(flushed);
  expect(newest.point?.shards).toHaveLength(3);
  expect(newest.memory?.neededBytes).toBeGreaterThan(0);

  const back = await drillAt(stage, '--before', 'flushall');
  expect(back).toMatchObject({ keys: 120, passed: true, recoveryPoint: { by: 'archive' } });
  expect(foundBy(back, 'verify')).toBe('passed: 120 keys compared with the point, 0 different');
  expect((await drillAt(stage, '--at', new Date(written).toISOString())).keys).toBe(120);
  const backup = await drillAt(stage, '--backup', back.backup);
  expect(backup).toMatchObject({ keys: 60, recoveryPoint: { by: 'backup' } });
  expect(backup.point).toBeUndefined();
  expect(backup.recoveryPoint.ms).toBeGreaterThan(back.recoveryPoint.ms);

  const shown = await rolloutAt(stage, 'drills', 'orders');
  expect(shown.stdout).toContain('4 held, 0 failed.');
  const refused = await rolloutAt(stage, 'drill', 'orders', '--at', '2001-01-01T00:00:00Z');
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining('The nearest that can be had: after it 20'),
  ]);
});
