// A drill that says a backup is good although it isn't, that leaves servers behind, or that touches the deployment.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DrillRecords } from '../../integrations/drill-records.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { folderTarget } from '../../integrations/folder-target.js';
import type { BackupManifest } from '../../model/backup-manifest.js';
import type { DeploymentFile } from '../../model/deployment.js';
import type { DrillRecord } from '../../model/drill.js';
import { backupWorkflowId, drillWorkflowId, TASK_QUEUE } from '../../model/names.js';
import { parseInfo } from '../../redis/info.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { encryption, openBackupStage } from './stage/backups.js';
import { Dataset } from './stage/dataset.js';
import { thoroughly, usually } from '../thorough.js';

let stage: Stage;
beforeEach(async () => {
  stage = await openBackupStage();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const target = (): string => join(stage.root, 'target');
const deploy = (
  cluster: Sandbox,
  { checks, ...drill }: NonNullable<DeploymentFile['drill']> & Pick<DeploymentFile, 'checks'> = {},
) =>
  stage.deploy('orders', cluster, {
    backup: {
      ...{ directory: join(stage.root, 'backups'), encryption },
      target: { kind: 'folder', folder: target() },
    },
    ...(checks ? { checks } : {}),
    drill: { nodeTimeout: '1500ms', ...drill },
  });
const run = (type: string, workflowId: string) =>
  stage.client.workflow.start(type, {
    ...{ workflowId, taskQueue: TASK_QUEUE },
    args: [{ deployment: 'orders', startedBy: 'ana' }],
  });
const takeBackup = async (): Promise<BackupManifest> =>
  (await (await run('backup', backupWorkflowId('orders'))).result()) as BackupManifest;
const holdDrill = async (): Promise<DrillRecord> =>
  (await (await run('drDrill', drillWorkflowId('orders'))).result()) as DrillRecord;
const results = ({ steps }: DrillRecord): string[] => steps.map(({ name, result }) => `${name}: ${result}`);
/** Of one worker, or of any that this test had. */
const scratchHomes = async (pid = stage.workerPid): Promise<string[]> => {
  const all = await Promise.all([tmpdir(), '/dev/shm'].map((folder) => readdir(folder).catch(() => [] as string[])));
  return all.flat().filter((name) => name.startsWith(`redis-rollout-scratch-${pid}-`));
};
/** Commands that changed something, by node. */
const changes = async (cluster: Sandbox): Promise<unknown[]> =>
  Promise.all(
    cluster.nodes.map(async ({ address }) => {
      const info = parseInfo(String(await cluster.ask(address, 'INFO')));
      return [address, info['role'], info['run_id'], info['rdb_changes_since_last_save'], info['cluster_state']];
    }),
  );

test.each(usually(1, ['5.0', '8.0']))(
  '%s: a backup is restored, compared, checked, and put to failures; the deployment hears nothing of it',
  async (release) => {
    await using cluster = await Sandbox.cluster({ release });
    await Dataset.write(cluster, 400);
    const seen = join(stage.root, 'seen');
    await deploy(cluster, {
      objectives: { recoveryTime: '10m', recoveryPoint: '1h' },
      checks: [{ name: 'nodes', command: ['sh', '-c', `echo "$REDIS_NODES" > ${seen}; echo 6 nodes`] }],
    });
    const manifest = await takeBackup();
    const keys = manifest.shards.reduce((sum, shard) => sum + shard.keys, 0);
    const untouched = await changes(cluster);

    const record = await holdDrill();

    expect(results(record)).toEqual([
      ...[
        'restore: passed',
        'verify: passed',
        'check nodes: passed',
        'a primary dies: passed',
        'a shard is lost: passed',
      ],
      ...['objective recovery time: passed', 'objective recovery point: passed'],
    ]);
    expect(record).toMatchObject({ backup: manifest.backup, startedBy: 'ana', shards: 3, passed: true });
    expect(record.keys).toBeGreaterThanOrEqual(400);
    expect(record.keys).toBeLessThanOrEqual(keys);
    expect(record.recoveryTime?.ms).toBeGreaterThan(0);
    expect(record.recoveryPoint.ms).toBeGreaterThan(0);
    const nodes = (await readFile(seen, 'utf8')).trim().split(',');
    expect(nodes).toHaveLength(6);
    expect(nodes.filter((node) => cluster.nodes.some(({ address }) => address === node))).toEqual([]);
    const records = await DrillRecords.open(await loadDeployment('orders', stage.deployments));
    expect(await records.newest(10)).toEqual([record]);
    expect(await changes(cluster)).toEqual(untouched);
    expect(await scratchHomes()).toEqual([]);
  },
);

test('a damaged object, a check that fails and an objective that is missed each fail it, and the rest is tried', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0' });
  await Dataset.write(cluster, 100);
  await deploy(cluster, {
    objectives: { recoveryTime: '1ms' },
    checks: [{ name: 'cart', command: ['sh', '-c', 'echo 3 carts broken; exit 1'] }],
    failures: false,
  });
  const manifest = await takeBackup();

  const first = await holdDrill();

  expect(results(first)).toEqual([
    ...['restore: passed', 'verify: passed', 'check cart: failed', 'objective recovery time: failed'],
    'objective recovery point: skipped',
  ]);
  expect(first.passed).toBe(false);
  expect(first.steps.find(({ name }) => name === 'check cart')?.found).toBe('exit code 1: 3 carts broken');

  const object = manifest.shards[1]?.object ?? '';
  const file = join(target(), object);
  const bytes = await readFile(file);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await writeFile(file, bytes);

  const second = await holdDrill();

  expect(results(second).slice(0, 2)).toEqual(['restore: failed', 'verify: skipped']);
  expect(second.steps[0]?.found).toContain(object);
  expect(second.recoveryTime).toBeUndefined();
  expect(second.passed).toBe(false);
  const records = await DrillRecords.open(await loadDeployment('orders', stage.deployments));
  expect(await records.newest(10)).toEqual([second, first]);
});

thoroughly('a worker that dies in the middle takes its cluster with it, and the next one holds the drill', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0' });
  await Dataset.write(cluster, 100);
  await deploy(cluster, { failures: false, checks: [{ name: 'slow', command: ['sleep', '3'] }] });
  await takeBackup();
  stage.keepWorker();
  const killed = stage.workerPid;
  const drill = run('drDrill', drillWorkflowId('orders'));
  await until('its cluster is up', async () => (await scratchHomes()).length > 0);
  const homes = await scratchHomes();

  process.kill(killed, 'SIGKILL');

  const record = (await (await drill).result()) as DrillRecord;
  expect(record.passed).toBe(true);
  await stage.faults.draw({ activity: 'recordDrill', when: 'after', kind: 'kill' });
  const again = await holdDrill();
  expect(await stage.faults.unfired()).toEqual([]);
  const records = await DrillRecords.open(await loadDeployment('orders', stage.deployments));
  expect(await records.newest(10)).toEqual([again, record]);
  expect([...(await scratchHomes(killed)), ...(await scratchHomes())]).toEqual([]);
  await until('no server of the dead worker is left', async () => (await serversBelow(homes)) === 0);
});

/** Processes whose command line names one of these folders. */
async function serversBelow(homes: readonly string[]): Promise<number> {
  const lines = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '')),
  );
  return lines.filter((line) => homes.some((home) => line.includes(home))).length;
}

test('without a backup there is no drill', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', primaries: 3, replicasEach: 0 });
  await deploy(cluster);
  await expect(holdDrill()).rejects.toMatchObject({
    cause: { message: expect.stringContaining('there are none') as string },
  });
  expect(await folderTarget(target()).list('orders/')).toEqual([]);
});
