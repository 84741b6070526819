import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { behindAt, spread } from '../../scripts/bench/archive/behind.js';
import type { ArchiveRow } from '../../scripts/bench/archive/measure.js';
import type { BackupRow } from '../../scripts/bench/backup/measure.js';
import type { Row } from '../../scripts/bench/handover/rows.js';
import { longestGap, ratiosOf, rowsOf, type Sample } from '../../scripts/bench/handover/rows.js';
import { breakdown } from '../../scripts/bench/upgrade/breakdown.js';
import { watchCores } from '../../scripts/bench/upgrade/cores.js';
import { thoroughly } from '../thorough.js';

const project = join(import.meta.dirname, '..', '..');

function bench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const program = [join(project, 'scripts', 'bootstrap.mjs'), 'scripts/bench.ts', ...args];
    const child = spawn(process.execPath, program, { cwd: project, stdio: ['ignore', 'pipe', 'pipe'] });
    const text = { stdout: '', stderr: '' };
    child.stdout.on('data', (data: Buffer) => (text.stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (text.stderr += data.toString()));
    child.once('close', (code) => resolve({ code: code ?? -1, ...text }));
  });
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-rollout-bench-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

thoroughly(
  'the handover is measured with clients of both libraries, ours beside the one by hand, and nothing is lost',
  async () => {
    const file = join(folder, 'handover.json');
    const small = ['--pairs', '6.2:8.2', '--methods', 'safe,runbook', '--clients', 'ioredis,node-redis'];
    const { code, stdout, stderr } = await bench(
      ...['handover', '--runs', '1', '--rate', '100', '--quiet', '300', ...small, '--json', '--summary', file],
    );
    expect({ code, end: code === 0 ? '' : stderr.slice(-2000) }).toEqual({ code: 0, end: '' });
    const summary = JSON.parse(await readFile(file, 'utf8')) as { rows: Row[]; ratios: object[] };
    expect(JSON.parse(stdout)).toEqual(summary);
    const [from, to] = ['6.2', '8.2'];
    expect(summary.rows).toMatchObject([
      { method: 'safe', client: 'ioredis', from, to, runs: 1, lost: 0 },
      { method: 'safe', client: 'node-redis', from, to, runs: 1, lost: 0 },
      { method: 'runbook', client: 'ioredis', from, to, runs: 1, lost: 0 },
      { method: 'runbook', client: 'node-redis', from, to, runs: 1, lost: 0 },
    ]);
    for (const { acknowledged, writeGapMs } of summary.rows) {
      expect(acknowledged).toBeGreaterThan(0);
      expect(writeGapMs.min).toBeGreaterThan(0);
      expect(writeGapMs.max).toBeGreaterThanOrEqual(writeGapMs.median);
    }
    expect(summary.ratios).toHaveLength(2);
  },
  600_000,
);

test('a backup is measured beside the pipe by hand, and both put the same snapshot away', async () => {
  const { code, stdout, stderr } = await bench('backup', '--sizes', '0.005', '--runs', '1', '--json');
  expect({ code, end: code === 0 ? '' : stderr.slice(-2000) }).toEqual({ code: 0, end: '' });
  const { rows } = JSON.parse(stdout) as { rows: BackupRow[] };
  expect(rows).toMatchObject([
    { who: 'rollout', keys: 5000 },
    { who: 'pipe', keys: 5000 },
  ]);
  for (const { rdbBytes, storedBytes, megabytesPerSecond } of rows) {
    expect(storedBytes).toBeGreaterThan(1_000_000);
    expect(storedBytes).toBeLessThan(rdbBytes);
    expect(megabytesPerSecond).toBeGreaterThan(0);
  }
  expect(rows[0]?.peakMb).toBeGreaterThan(10);
}, 600_000);

test('an archive is measured under load: what is stored, how far it is behind, and its memory', async () => {
  const { code, stdout, stderr } = await bench('archive', '--rates', '1', '--seconds', '3', '--json');
  // 3: it was a second behind, which is the machine's business here.
  expect({ ok: [0, 3].includes(code), end: [0, 3].includes(code) ? '' : stderr.slice(-2000) }).toEqual({ ok: true, end: '' }); // prettier-ignore
  const { rows } = JSON.parse(stdout) as { rows: ArchiveRow[] };
  expect(rows).toMatchObject([{ rate: 1, seconds: 3 }]);
  for (const { streamBytes, storedBytes, segments, behindMs, peakMb } of rows) {
    expect(streamBytes).toBeGreaterThan(1_000_000);
    expect(storedBytes).toBeGreaterThan(0);
    expect(storedBytes).toBeLessThan(streamBytes);
    expect(segments).toBeGreaterThan(0);
    expect(behindMs.median).toBeGreaterThan(0);
    expect(behindMs.max).toBeGreaterThanOrEqual(behindMs.median);
    expect(peakMb).toBeGreaterThan(10);
  }
}, 600_000);

test('how far an archive is behind is told from the first byte that was not stored, never too little', () => {
  const written = [0, 100, 200, 300, 400].map((at) => ({ at, offset: at * 10 }));
  const stored = [
    { at: 0, end: 0 },
    { at: 260, end: 1500 },
    { at: 450, end: 2000 },
    { at: 460, end: 4000 },
    { at: 900, end: 4000 },
  ];
  // Byte 1 after 0, byte 1501 after 100, byte 2001 after 200; and in the end nothing was missing.
  expect(behindAt(written, stored)).toEqual([260, 350, 260]);
  expect(spread([3, 1, 2])).toEqual({ median: 2, p99: 3, max: 3 });
  expect(spread([])).toEqual({ median: 0, p99: 0, max: 0 });
});

test('wrong usage is told from what it found, and starts nothing', async () => {
  const found = await Promise.all([bench('handover', '--runs', 'many'), bench('speed'), bench('upgrade', '--fast')]);
  expect(found.map(({ code }) => code)).toEqual([2, 2, 2]);
  expect(found[0].stderr).toContain("--runs: expected a whole number above 0, found 'many'");
}, 600_000);

test('a gap counts when it touches the window, whichever end lies outside', () => {
  const at = [0, 10, 500, 510, 900];
  expect(longestGap(at)).toBe(490);
  expect(longestGap(at, 505, 600)).toBe(390);
  expect(longestGap(at, 100, 200)).toBe(490);
  expect(longestGap(at, 501, 505)).toBe(10);
  expect(longestGap([1])).toBe(0);
});

const sample = (it: Partial<Sample>): Sample => ({
  ...{ method: 'safe', client: 'ioredis', from: '5.0.6', to: '8.0', failedOperations: 0, failures: {}, lost: 0 },
  ...{ acknowledged: 10, moveMs: 1, writeGapMs: 1, wholeGapMs: 1, quietGapMs: 1 },
  ...it,
});

test('runs of one method, client and pair become one row; what failed and was lost adds up', () => {
  const rows = rowsOf([
    sample({ writeGapMs: 100 }),
    sample({ method: 'restart', writeGapMs: 2000, failedOperations: 3, failures: { MOVED: 3 } }),
    sample({ writeGapMs: 300, lost: 1 }),
    sample({ writeGapMs: 200, failedOperations: 1, failures: { MOVED: 1 } }),
    sample({ client: 'node-redis', writeGapMs: 50 }),
  ]);
  expect(rows.map(({ method, client, runs }) => [method, client, runs])).toEqual([
    ['safe', 'ioredis', 3],
    ['restart', 'ioredis', 1],
    ['safe', 'node-redis', 1],
  ]);
  expect(rows[0]).toMatchObject({
    writeGapMs: { min: 100, median: 200, max: 300 },
    ...{ lost: 1, failedOperations: 1, failures: { MOVED: 1 }, acknowledged: 30 },
  });
  expect(ratiosOf(rows)).toEqual([{ method: 'restart', client: 'ioredis', from: '5.0.6', to: '8.0', timesSafe: 10 }]);
});

test('cores that work are told from cores that wait', () => {
  const since = watchCores();
  const { user } = process.cpuUsage();
  // Several ticks of the kernel's clock, by which it counts.
  while (process.cpuUsage().user - user < 200_000);
  const busy = since();
  expect(busy).toBeGreaterThan(0);
  expect(busy).toBeLessThanOrEqual(100);
});

test('the time of an upgrade is told by activity; what ran at the same time is not counted twice in what lies between', () => {
  const kinds = breakdown(
    [
      { what: 'runProbe', from: 0, to: 6000 },
      { what: 'verifyNode', from: 1000, to: 3000 },
      { what: 'verifyNode', from: 2000, to: 3500 },
      { what: 'swapVersion', from: 4000, to: 5000 },
    ],
    6000,
  );
  expect(kinds).toEqual([
    { what: 'verifyNode', times: 2, totalMs: 3500, longestMs: 2000 },
    { what: 'swapVersion', times: 1, totalMs: 1000, longestMs: 1000 },
    { what: 'between activities', times: 1, totalMs: 2500, longestMs: 2500 },
  ]);
});
