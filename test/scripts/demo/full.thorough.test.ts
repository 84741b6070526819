// A part that is only said to have been done, or a verdict that nobody gave.
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
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

test('--full assesses, rehearses, measures, asks in chat, upgrades, validates and finalizes, and leaves nothing running', async () => {
  const file = join(folder, 'full.json');
  const { code, output } = await demo('--full', '--yes', '--summary', file, '--folder', folder);
  expect({ code, end: code === 0 ? '' : output.slice(-4000) }).toEqual({ code: 0, end: '' });

  const summary = JSON.parse(await readFile(file, 'utf8')) as DemoSummary;
  expect(summary).toMatchObject({
    ...{ result: 'completed', from: '5.0.6', nodes: 6, clients: { failed: 0 }, ledger: { lost: 0 } },
    ...{ verify: { different: 0 }, application: { failed: 0, wrong: [] } },
  });
  const { to, phases = [] } = summary;
  expect(to).toMatch(/^8\.0\./);
  const verdicts = new Map(phases.map(({ name, verdict }) => [name, verdict]));
  expect(verdicts.size).toBeGreaterThan(25);
  expect(['met', 'noise']).toContain(verdicts.get('benchmark'));
  expect([...verdicts].filter(([name]) => name !== 'benchmark' && name !== 'staging: targets')).toEqual(
    expect.arrayContaining([
      ['assessment', '0 blockers'],
      ['backup', '3 shards'],
      ['backup verification', 'restored'],
      ['staging: content', 'passed'],
      ['staging: benchmark on 5.0.6', 'passed'],
      [`staging: upgrade to ${to}`, 'passed'],
      ['staging: fallback to 5.0.6', 'passed'],
      [`staging: benchmark on ${to} again`, 'passed'],
      ['staging: content, after all of it', 'passed'],
      ['staging: approval operations', 'approved'],
      ['staging: approval product', 'approved'],
      ['staging', 'go'],
      ['upgrade: approval start', 'approved'],
      ['upgrade: rolling', 'done'],
      ['upgrade: approval handover', 'approved'],
      ['validation', 'pass'],
      ['upgrade: soak', 'done'],
      ['upgrade: approval finalize', 'approved'],
      ['finalize', 'done'],
      ['upgrade', 'completed'],
    ]),
  );
  expect(phases.every(({ durationMs }) => Number.isInteger(durationMs) && durationMs >= 0)).toBe(true);
  const took = (name: string): number => phases.find((it) => it.name === name)?.durationMs ?? 0;
  expect(took('staging')).toBeGreaterThan(took('staging: fallback to 5.0.6'));
  expect(took('staging: fallback to 5.0.6')).toBeGreaterThan(1000);
  expect(took('upgrade')).toBeGreaterThan(took('upgrade: rolling'));

  // What people were told came from the operations, by way of the channel.
  for (const line of [
    'ben presses Approve in the channel, and is told: operations approved by ben (1 of 1)',
    'cleo presses Approve in the channel, and is told: product approved by cleo (1 of 1)',
    'ana presses Approve in the channel, and is told: handover approved by ana (1 of 2)',
    'ben presses Approve in the channel, and is told: handover approved by ben (2 of 2)',
    'cleo presses Approve in the channel, and is told: finalize approved by cleo (1 of 1)',
  ])
    expect(output).toContain(line);
  expect((await stat(summary.report)).size).toBeGreaterThan(10_000);
  // The copy is gone, and its deployment file with it.
  const [run = ''] = (await readdir(folder)).filter((it) => it !== 'full.json');
  expect(await readdir(join(folder, run))).not.toContain('copy');
  expect(await readdir(join(folder, run, 'deployments'))).toEqual(['orders.yaml']);
  // Six nodes, Temporal and its UI, and the channel.
  await expectGone(output, 9);
}, 1_500_000);
