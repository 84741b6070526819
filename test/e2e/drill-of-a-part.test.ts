// A drill that the machine is too small for, and begins all the same; a part that is told as the whole.
import { Cluster } from 'ioredis';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DeploymentFile } from '../../model/deployment.js';
import type { DrillRecord } from '../../model/drill.js';
import { backupWorkflowId, TASK_QUEUE } from '../../model/names.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
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

test('what is too large for the machine is refused with figures, and held in parts, in turns, each told as a part', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', replicasEach: 0 });
  await deploy(cluster, { memory: '20MB' });
  const clients = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
  for (let i = 0; i < 300; i++) await clients.set(`key:${i}`, String(i));
  clients.disconnect();
  await stage.client.workflow.execute('backup', {
    ...{ workflowId: backupWorkflowId('orders'), taskQueue: TASK_QUEUE, args: [{ deployment: 'orders' }] },
  });

  const large = await rollout('drill', 'orders');
  expect(large.code).toBe(3);
  expect(large.stderr).toMatch(
    /needs about \d+\.\d MB of memory, and may take 20\.0 MB of the worker’s machine \S+ \(by drill\.memory\)\. Restore a part/,
  );
  expect((await rollout('drills', 'orders')).stdout).toContain('No drill of orders');

  await deploy(cluster, { failures: true, objectives: { recoveryTime: '10m' } });
  const parts = [await drill('--sample', '1'), await drill('--sample', '2')];
  expect(parts.map(({ part }) => part?.shards.length)).toEqual([1, 2]);
  expect(new Set(parts.flatMap(({ part }) => part?.shards)).size).toBe(3);
  expect(parts.reduce((sum, { keys }) => sum + keys, 0)).toBe(300);
  for (const part of parts) {
    expect(foundBy(part, 'a primary dies')).toMatch(/^passed: called failed after .* written to again after /);
    expect(foundBy(part, 'objective recovery time')).toMatch(
      /^skipped: .* for a part of the deployment; the 10 min of /,
    );
    const died = part.steps.find(({ name }) => name === 'a primary dies')?.measured;
    expect(died?.writableMs).toBeGreaterThanOrEqual(died?.detectedMs ?? Infinity);
  }
  const half = await drill('--slots', '0-8191');
  expect(half.part).toMatchObject({ ofShards: 3, share: 0.5, slots: [[0, 8191]] });
  expect(half.keys).toBeGreaterThan(0);
  expect(half.keys).toBeLessThan(300);
  expect(foundBy(half, 'verify')).toBe(`passed: ${half.keys} keys compared with the backup, 0 different`);

  const shown = await rollout('drills', 'orders');
  expect(shown.stdout).toMatch(/1 of 3 +20/);
  const both = await rollout('drill', 'orders', '--sample', '1', '--slots', '0-9');
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('expected one of shards, slots and sample')]);
  const unknown = await rollout('drill', 'orders', '--shards', 'shard-9');
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('found shard-9')]);
  const none = await rollout('drill', 'orders', '--at', 'now');
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('found none (rollout archive)')]);
});
