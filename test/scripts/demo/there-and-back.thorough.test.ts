import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DisasterSummary } from '../../../scripts/demo/disaster.js';
import type { DemoSummary } from '../../../scripts/demo/summary.js';
import { demo, expectGone } from './run-demo.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-demo-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('--fallback takes it all back under an application, whose every value is what it has to be', async () => {
  const file = join(folder, 'fallback.json');
  const { code, output } = await demo('--fallback', '--yes', '--summary', file, '--folder', folder);
  expect({ code, end: code === 0 ? '' : output.slice(-3000) }).toEqual({ code: 0, end: '' });

  const summary = JSON.parse(await readFile(file, 'utf8')) as DemoSummary;
  expect(summary).toMatchObject({
    ...{ result: 'fell back', from: '5.0.6', to: '5.0.6', nodes: 6, clients: { failed: 0 }, ledger: { lost: 0 } },
    ...{ verify: { different: 0 }, application: { failed: 0, wrong: [] } },
    fallback: { class: 'lossless', notRepresentable: 0 },
  });
  const { fallback, application, clients } = summary;
  expect(fallback?.from).toMatch(/^8\.0\./);
  expect(fallback?.cutoverGapMs).toBeGreaterThan(0);
  expect(fallback?.lagMsMax).toBeGreaterThan(0);
  // Of each of the newer commands there were enough to be rewritten, and to be copied again, in every shard.
  expect(application?.newer).toBeGreaterThan(1000);
  expect(fallback?.rewritten).toBeGreaterThan(1000);
  expect(fallback?.recopied).toBeGreaterThan(100);
  expect(clients.operations).toBeGreaterThan(application?.operations ?? Infinity);
  expect(output).toContain('ben takes the upgrade back');
  expect((await stat(summary.report)).size).toBeGreaterThan(10_000);
  // Those, and three standbys.
  await expectGone(output, 10);
}, 800_000);

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
}, 600_000);
