// A short run of chaos, as a person starts it: an upgrade that is disturbed, and nothing lost; and Ctrl-C in the next one,
// which must not leave half a cluster behind.
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Summary } from '../../scripts/chaos/outcome.js';
import type { Scenario } from '../../scripts/chaos/scenario.js';
import { until } from '../../scripts/sandbox/cluster.js';

const project = join(import.meta.dirname, '..', '..');
const bootstrap = join(project, 'scripts', 'bootstrap.mjs');

function chaos(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [bootstrap, 'scripts/chaos.ts', ...args], { cwd: project }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr }),
    );
  });
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-chaos-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('an upgrade under drawn faults completes and loses nothing; Ctrl-C in the middle of the next leaves nothing behind', async () => {
  const summaryFile = join(folder, 'summary.json');
  const temporary = join(folder, 'temporary');
  await mkdir(temporary);
  const child = spawn(
    process.execPath,
    [bootstrap, 'scripts/chaos.ts', '--seed', '57', '--runs', '2', '--small', '--summary', summaryFile],
    // A group of its own, as a shell's job has: Ctrl-C goes to all of it, the worker included.
    { cwd: project, detached: true, stdio: 'pipe', env: { ...process.env, TMPDIR: temporary } },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  try {
    await until('the first run has ended', () => output.includes('#1 ') || child.exitCode !== null, 400_000);
    await until(
      'the second one has its nodes in hand',
      async () => child.exitCode !== null || (await nodesInHand(temporary)).length > 0,
      200_000,
    );
    expect(output).toMatch(/completed in .*; [\d,]+ writes, 0 lost, 0 violations/);
    // Else the upgrade was not disturbed at all.
    expect(output).not.toContain('never came to pass');
    // Six nodes, a worker, Temporal, and what started them.
    expect((await processesOf(temporary)).length).toBeGreaterThan(8);
  } finally {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT');
  }

  const code = await ended;
  expect({ code, said: code === 130 ? '' : output.slice(-3000) }).toEqual({ code: 130, said: '' });
  expect(output).toContain('chaos: interrupted after 1 of 2 runs; all that was started is gone');
  const summary = JSON.parse(await readFile(summaryFile, 'utf8')) as Summary;
  expect(summary).toEqual({ runs: 1, completed: 1, stopped: 0, lost: 0, invariantViolations: 0, failures: [] });
  expect(await processesOf(temporary)).toEqual([]);
  // Where ports are claimed, all of them given back.
  const ours = (await readdir(temporary)).filter((name) => name.startsWith('redis-rollout'));
  expect(ours).toEqual(['redis-rollout-ports']);
  expect(await readdir(join(temporary, 'redis-rollout-ports'))).toEqual([]);
}, 1_200_000);

/** Fences that an upgrade has put beside nodes. */
const nodesInHand = async (temporary: string): Promise<string[]> =>
  (await readdir(temporary, { recursive: true })).filter((name) => name.endsWith('.rollout-fence.json'));

/** What was started with this folder for temporary files; a server has its own words where its environment was. */
async function processesOf(temporary: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const read = (name: string): Promise<string> => readFile(join('/proc', pid, name), 'utf8').catch(() => '');
    const environment = await read('environ');
    const folder = await readlink(join('/proc', pid, 'cwd')).catch(() => '');
    if (environment.includes(`TMPDIR=${temporary}`) || folder.startsWith(temporary))
      found.push(`${pid} ${await read('cmdline')}`);
  }
  return found;
}

test('what would be done is said without doing it, and --only says the same', async () => {
  const drawn = (await chaos('--seed', '7', '--runs', '3', '--draw')).stdout.trim().split('\n');
  const scenarios = drawn.map((line) => JSON.parse(line) as Scenario);
  expect(scenarios.map(({ seed, run }) => [seed, run])).toEqual([
    [7, 1],
    [7, 2],
    [7, 3],
  ]);
  expect((await chaos('--seed', '7', '--only', '2', '--draw')).stdout.trim()).toBe(drawn[1]);
}, 600_000);

test.each([
  [['--seed', 'x'], "--seed: expected a whole number from 0 on, found 'x'"],
  [['--runs', '0'], "--runs: expected a whole number from 1 on, found '0'"],
  [['--nonsense'], '--nonsense'],
])('wrong usage: %s', async (args, says) => {
  const { code, stderr } = await chaos(...args);
  expect(code).toBe(2);
  expect(stderr).toContain(says);
});
