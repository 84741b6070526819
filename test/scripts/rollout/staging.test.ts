// What came of a rehearsal, told without what speaks against it; or none told where a record can't be read.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadDeployment } from '../../../integrations/deployment-files.js';
import { StagingRecords } from '../../../integrations/staging-records.js';
import type { DeploymentFile } from '../../../model/deployment.js';
import { stagingObject } from '../../../model/staging.js';
import { failedStaging, sampleStaging } from '../../model/report/sample-staging.js';
import { rollout } from './stage/cli.js';

let root: string;
const deployments = (): string => join(root, 'deployments');
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'redis-rollout-staging-'));
  await mkdir(deployments());
  const file: DeploymentFile = {
    ...{ name: 'orders', topology: 'cluster', seeds: ['127.0.0.1:7001'], platform: { kind: 'process' } },
    backup: { directory: join(root, 'backups'), target: { kind: 'folder', folder: join(root, 'target') } },
  };
  await writeFile(join(deployments(), 'orders.yaml'), JSON.stringify(file));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const show = (...options: string[]) =>
  rollout(['staging', 'show', 'orders', ...options], { env: { ROLLOUT_DEPLOYMENTS: deployments() } });

test('none, one step by step, all of them, and the newest as a page', async () => {
  const none = await show();
  expect(none.stdout).toContain('Begin one: rollout staging start orders --to 8.0');
  expect((await show('--report', join(root, 'none.html'))).code).toBe(4);

  const records = await StagingRecords.open(await loadDeployment('orders', deployments()));
  await records.put(sampleStaging({ staging: '20261129T040312Z-ab12cd34' }));
  await records.put({ ...failedStaging('latency.p99 +71.4 %').rehearsal, staging: '20261130T040312Z-ab12cd34' });

  const newest = await show();
  expect({ code: newest.code, stderr: newest.stderr }).toEqual({ code: 0, stderr: '' });
  expect(newest.stdout).toContain('Rehearsal of orders, 5.0.6 → 8.0.6: no-go. targets: latency.p99 +71.4 %');
  expect(newest.stdout).toMatch(/targets +failed +latency\.p99 \+71\.4 %/);
  const all = await show('--all');
  expect(all.stdout.indexOf('20261130T')).toBeLessThan(all.stdout.indexOf('20261129T'));
  const { rehearsals } = JSON.parse((await show('--all', '--json')).stdout) as { rehearsals: { decision: string }[] };
  expect(rehearsals.map(({ decision }) => decision)).toEqual(['no-go', 'go']);

  const page = join(root, 'rehearsal.html');
  expect((await show('--report', page)).stdout).toContain(`Wrote ${page}`);
  expect(await readFile(page, 'utf8')).toContain('orders, rehearsal: No-go');
});

test('one that can’t be read is named, and the others are told', async () => {
  const object = join(root, 'target', stagingObject('orders', '20261201T000000Z-ffffffff'));
  await mkdir(join(object, '..'), { recursive: true });
  await writeFile(object, '{"format": 9}');
  const all = await show('--all');
  expect(all.stdout).toMatch(/20261201T000000Z-ffffffff.*can't be read/);
  expect(all.stdout).toContain('20261129T');
});

test('input that can’t be is refused by its option', async () => {
  const { code, stderr } = await rollout(
    ['staging', 'start', `o${'x'.repeat(60)}`, '--to', '8.0', '--slots', '5-x', '--as', 'ana'],
    { env: { ROLLOUT_DEPLOYMENTS: deployments() } },
  );
  expect(code).toBe(2);
  expect(stderr).toContain('55 letters at most');
  expect(stderr).toContain('slots.0');
});
