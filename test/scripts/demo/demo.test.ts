import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DemoSummary } from '../../../scripts/demo/summary.js';
import { demo, expectGone } from './run-demo.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-demo-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

// The first thing that a newcomer runs must work, tell the truth, and leave nothing behind.
test('the demo upgrades a cluster, sums up what it measured, and leaves nothing running', async () => {
  const file = join(folder, 'summary.json');
  const { code, output } = await demo('--yes', '--summary', file, '--folder', folder);
  expect({ code, end: code === 0 ? '' : output.slice(-2000) }).toEqual({ code: 0, end: '' });

  const summary = JSON.parse(await readFile(file, 'utf8')) as DemoSummary;
  expect(summary).toMatchObject({
    ...{ result: 'completed', from: '5.0.6', nodes: 6, clients: { failed: 0 }, ledger: { lost: 0 } },
    ...{ resync: { full: 0, partial: 6 }, verify: { different: 0 } },
  });
  expect(summary.to).toMatch(/^8\.0\./);
  expect(summary.clients.operations).toBeGreaterThan(1000);
  expect(summary.clients.longestWriteGapMs).toBeGreaterThan(0);
  expect(summary.clients.longestReadGapMs).toBeGreaterThan(0);
  expect(summary.ledger.acknowledged).toBeGreaterThan(500);
  expect(summary.verify.keys).toBeGreaterThan(24_000);
  expect((await stat(summary.report)).size).toBeGreaterThan(10_000);

  // Six nodes, and Temporal.
  await expectGone(output, 7);
}, 480_000);

test('without a terminal to ask on, and without --yes, it says so and starts nothing', async () => {
  const { code, output } = await demo('--folder', join(folder, 'none'));
  expect(code).toBe(2);
  expect(output).toContain('say --yes');
});
