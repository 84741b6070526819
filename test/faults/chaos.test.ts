// A short run of chaos, as a person starts it: two upgrades that are disturbed, and nothing lost.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Summary } from '../../scripts/chaos/outcome.js';
import type { Scenario } from '../../scripts/chaos/scenario.js';

const project = join(import.meta.dirname, '..', '..');

function chaos(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const program = [join(project, 'scripts', 'bootstrap.mjs'), 'scripts/chaos.ts', ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, program, { cwd: project }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr }),
    );
  });
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-chaos-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('two upgrades under drawn faults complete, and lose nothing', async () => {
  const file = join(folder, 'summary.json');
  const { code, stdout, stderr } = await chaos(
    ...['--seed', '1', '--runs', '2', '--json', '--summary', file],
    ...['--folder', join(folder, 'kept')],
  );
  // The whole summary is shown where it is not so.
  const summary = JSON.parse(await readFile(file, 'utf8').catch(() => JSON.stringify({ stdout, stderr }))) as Summary;
  expect(summary).toEqual({ runs: 2, completed: 2, stopped: 0, lost: 0, invariantViolations: 0, failures: [] });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual(summary);
  const writes = [...stderr.matchAll(/completed in .*?; ([\d,]+) writes, 0 lost/g)];
  expect(writes.map(([, count = '']) => Number(count.replaceAll(',', '')) > 1000)).toEqual([true, true]);
}, 900_000);

test('what would be done is said without doing it, and --only says the same', async () => {
  const drawn = (await chaos('--seed', '7', '--runs', '3', '--draw')).stdout.trim().split('\n');
  const scenarios = drawn.map((line) => JSON.parse(line) as Scenario);
  expect(scenarios.map(({ seed, run }) => [seed, run])).toEqual([
    [7, 1],
    [7, 2],
    [7, 3],
  ]);
  expect((await chaos('--seed', '7', '--only', '2', '--draw')).stdout.trim()).toBe(drawn[1]);
}, 300_000);

test.each([
  [['--seed', 'x'], "--seed: expected a whole number from 0 on, found 'x'"],
  [['--runs', '0'], "--runs: expected a whole number from 1 on, found '0'"],
  [['--nonsense'], '--nonsense'],
])('wrong usage: %s', async (args, says) => {
  const { code, stderr } = await chaos(...args);
  expect(code).toBe(2);
  expect(stderr).toContain(says);
});
