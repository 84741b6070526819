import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DisasterSummary } from '../../../scripts/demo/disaster.js';
import { demo, expectGone } from './run-demo.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-demo-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('--drill brings everything back as it was before a FLUSHALL, and leaves nothing running', async () => {
  const file = join(folder, 'drill.json');
  const { code, output } = await demo('--drill', '--yes', '--summary', file, '--folder', folder);
  expect({ code, end: code === 0 ? '' : output.slice(-3000) }).toEqual({ code: 0, end: '' });

  const summary = JSON.parse(await readFile(file, 'utf8')) as DisasterSummary;
  expect(summary).toMatchObject({
    ...{ result: 'recovered', backup: { encrypted: true, shards: 3 }, drill: { passed: true } },
    ...{ recovery: { different: 0, lost: 0 }, orders: { refused: 0 } },
  });
  expect(summary.backup.bytes).toBeGreaterThan(100_000);
  expect(summary.backup.mbPerS).toBeGreaterThan(0);
  expect(summary.recovery.keys).toBeGreaterThan(24_000);
  expect(summary.recovery.rtoMs).toBeGreaterThan(0);
  expect(summary.recovery.rpoMs).toBeGreaterThan(0);
  expect(summary.orders.acknowledged).toBeGreaterThan(500);
  // Temporal, its UI, and the S3 server.
  await expectGone(output, 3);
}, 300_000);
