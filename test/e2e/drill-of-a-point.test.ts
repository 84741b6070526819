// A drill that measures the backup where the archive is what would be restored.
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { ArchiveStore } from '../../integrations/archive-store.js';
import { BackupStore } from '../../integrations/backup-store.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import type { DeploymentFile } from '../../model/deployment.js';
import type { DrillRecord } from '../../model/drill.js';
import { archiveWorkflowId, TASK_QUEUE } from '../../model/names.js';
import { reachOf } from '../../model/recovery.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { rollout as runCli } from '../scripts/rollout/stage/cli.js';
import { encryption, openBackupStage } from './stage/backups.js';

let stage: Stage;
beforeEach(async () => {
  stage = await openBackupStage();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const deploy = (cluster: Sandbox, drill: DeploymentFile['drill'] = {}) =>
  stage.deploy('orders', cluster, {
    backup: { directory: `${stage.root}/backups`, encryption },
    drill: { nodeTimeout: '1500ms', failures: false, ...drill },
  });

async function rollout(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const at = { TEMPORAL_ADDRESS: stage.address, ROLLOUT_DEPLOYMENTS: stage.deployments };
  return runCli(words, { env: { ...stage.environment, ...at } });
}
async function drill(...words: string[]): Promise<DrillRecord> {
  const { stdout, stderr } = await rollout('drill', 'orders', '--as', 'ana', '--json', ...words);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as DrillRecord;
}
const foundBy = ({ steps }: DrillRecord, name: string): string => {
  const step = steps.find((it) => it.name === name);
  return `${step?.result}: ${step?.found}`;
};
async function reach(): Promise<number> {
  const deployment = await loadDeployment('orders', stage.deployments);
  const backups = await (await BackupStore.open(deployment)).manifests();
  const found = reachOf({ backups, segments: await (await ArchiveStore.open(deployment)).segments() }, Date.now());
  return found?.by === 'archive' ? found.at : -Infinity;
}

test('with an archive the newest point is restored, the recovery point is how far it reaches, and any other can be', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', configuration: ['repl-diskless-sync-delay 0'] });
  await deploy(cluster, { objectives: { recoveryTime: '10m', recoveryPoint: '1m' } });
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

  const newest = await drill();
  expect(newest).toMatchObject({ keys: 0, passed: true, recoveryPoint: { by: 'archive', objectiveMs: 60_000 } });
  expect(Date.parse(newest.recoveryPoint.reaches ?? '')).toBeGreaterThanOrEqual(flushed);
  expect(newest.point?.shards).toHaveLength(3);
  expect(newest.memory?.neededBytes).toBeGreaterThan(0);

  const back = await drill('--before', 'flushall');
  expect(back).toMatchObject({ keys: 120, passed: true, recoveryPoint: { by: 'archive' } });
  expect(foundBy(back, 'verify')).toBe('passed: 120 keys compared with the point, 0 different');
  expect((await drill('--at', new Date(written).toISOString())).keys).toBe(120);
  const backup = await drill('--backup', back.backup);
  expect(backup).toMatchObject({ keys: 60, recoveryPoint: { by: 'backup' } });
  expect(backup.point).toBeUndefined();
  expect(backup.recoveryPoint.ms).toBeGreaterThan(back.recoveryPoint.ms);

  const shown = await rollout('drills', 'orders');
  expect(shown.stdout).toContain('4 held, 0 failed.');
  const refused = await rollout('drill', 'orders', '--at', '2001-01-01T00:00:00Z');
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining('The nearest that can be had: after it 20'),
  ]);
});
