import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeDeployment } from '../../../model/deployment-template.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { startTemporal, type TemporalServer } from '../../../scripts/setup/temporal.js';
import { rollout, startRollout, type CliOptions } from './stage/cli.js';

let temporal: TemporalServer;
let cluster: Sandbox;
let folder: string;
let options: CliOptions;

beforeAll(async () => {
  [temporal, cluster] = await Promise.all([startTemporal(), Sandbox.cluster({ release: '5.0.6' })]);
  folder = await mkdtemp(join(tmpdir(), 'rollout-worker-'));
  await mkdir(join(folder, 'deployments'));
  const text = writeDeployment({
    ...{ name: 'orders', seeds: [cluster.nodes[0]?.address ?? ''], release: '5.0.6', shards: 3, nodes: 6 },
    backupDirectory: join(folder, 'backups'),
  });
  // It asks before anything is touched, so that there is something to steer.
  const asks = '  roles:\n    engineering: [ana]\n  approvals:\n    start: { roles: [engineering] }\n';
  await writeFile(join(folder, 'deployments', 'orders.yaml'), `${text.trimEnd()}\n${asks}`);
  options = { cwd: folder, env: { TEMPORAL_ADDRESS: temporal.address, ROLLOUT_STATE: join(folder, 'state') } };
});
afterAll(async () => {
  await temporal.stop();
  await cluster.stop();
  await rm(folder, { recursive: true });
});

test('the real worker and the real upgrade, from the command: started, steered by the right person, rejected, reported', async () => {
  const worker = startRollout(['worker', '--json'], options);
  try {
    await until('the worker polls', () => worker.stdout().includes('polling'), 60_000);
    expect(JSON.parse(worker.stdout().split('\n')[0] ?? '')).toMatchObject({
      ...{ type: 'polling', address: temporal.address, namespace: 'default', taskQueue: 'redis-rollout' },
      ...{ names: ['orders'], state: join(folder, 'state'), searchable: true },
    });

    const unknown = await rollout(['start', 'nowhere', '--to', '8.0'], options);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain("no deployment 'nowhere'");
    const older = await rollout(['start', 'orders', '--to', '7.2', '--watch'], options);
    expect(older.code).not.toBe(0);
    expect(older.stderr + older.stdout).toContain('redis#13401');

    const started = await rollout(['start', 'orders', '--to', '8.0', '--as', 'olu'], options);
    expect(started).toMatchObject({ code: 0, stderr: '' });
    expect(await rollout(['watch', 'orders', '--exit-when-waiting'], options)).toMatchObject({ code: 6 });
    const status = await rollout(['status', 'orders'], options);
    expect(status.stdout).toContain('rollout approve orders --approval start');
    expect(status.stdout).toMatch(/^shard-3 +127\.0\.0\.1:\d+ +replica +5\.0\.6/m);
    const stranger = await rollout(['approve', 'orders', '--as', 'olu'], options);
    expect(stranger.code).toBe(4);
    expect(stranger.stderr).toContain('engineering');
    expect(await rollout(['reject', 'orders', '--as', 'ana', '--comment', 'not today'], options)).toMatchObject({
      code: 0,
    });
    const end = await rollout(['watch', 'orders'], options);
    expect(end.code).toBe(3);
    expect(end.stdout).toContain('not today');

    const report = await rollout(['report', 'orders', '--out', 'orders.html'], options);
    expect(report).toMatchObject({ code: 0, stdout: 'Wrote orders.html\n' });
  } finally {
    worker.child.kill('SIGTERM');
  }
  expect(await worker.ended).toBe(0);
  expect(worker.stdout()).toContain('{"type":"draining","signal":"SIGTERM"}\n{"type":"stopped"}\n');
}, 600_000);
