import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { readBackLedger, removeProbeKeys } from '../../../redis/probe/read-back.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { alive, inputFor, keys, operations, scratch, startProbe } from './probed-cluster.js';

const source = pathToFileURL(join(import.meta.dirname, '../../../redis/probe/process.ts')).href;

/** A worker in a process of its own, which starts the probe and tells its pid: the one that is killed. */
async function workerWithProbe(folder: string, input: unknown): Promise<{ worker: number; probe: number }> {
  const script = join(folder, 'worker.ts');
  await writeFile(
    script,
    `import { startProbe } from ${JSON.stringify(source)};
     startProbe(${JSON.stringify(input)}).then((probe) => {
       console.log(probe.pid);
       setInterval(() => {}, 1000);
     });`,
  );
  const worker = spawn(process.execPath, ['--import', 'tsx', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: join(import.meta.dirname, '../../..'),
  });
  const lines = createInterface({ input: worker.stdout });
  const [pid] = (await once(lines, 'line')) as [string];
  return { worker: worker.pid ?? 0, probe: Number(pid) };
}

test('a killed worker leaves no probe behind, and the next one continues its record', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', replicasEach: 0 });
  using place = scratch();
  const input = inputFor(cluster, place.folder);
  const primaries = cluster.nodes.slice(0, 3);
  const before = await keys(cluster, primaries);
  const { worker, probe } = await workerWithProbe(place.folder, input);
  await until('the first probe has written', async () => (await keys(cluster, primaries)) > before + 60);
  const killedAt = Date.now();
  process.kill(worker, 'SIGKILL');
  await until('its probe is gone too', () => !alive(probe));

  const second = await startProbe(input);
  const firstOnly = await second.report();
  await operations(second, 200);
  // This time nothing is told to the probe at all.
  const { acknowledged } = await readBackLedger(input);
  await until('its statistics are on disk', async () => (await readFile(join(place.folder, 'run-2', 'series-0.json'), 'utf8')).includes('"savedAt"')); // prettier-ignore
  process.kill(second.pid, 'SIGKILL');
  expect(await second.ended).toContain('SIGKILL');

  const third = await startProbe(input);
  await operations(third, 100);
  const report = await third.stop();
  expect(report.series).toHaveLength(12);
  expect(report.interruptions?.map(({ reason }) => reason)).toEqual([
    'the probe was stopped, and started again',
    'the probe was killed, and started again',
  ]);
  const [first, next] = report.interruptions ?? [];
  expect(first?.from).toBeGreaterThan(killedAt - 100);
  expect(next?.from).toBeGreaterThanOrEqual(first?.until ?? Infinity);
  for (const [i, series] of report.series.entries()) {
    expect(series.operations).toBeGreaterThan((firstOnly.series[i]?.operations ?? Infinity) - 1);
    expect(series.failures).toEqual({});
    // No probe ran in an interruption: a gap in it would be nobody's.
    for (const gap of series.gaps)
      for (const { from, until: to } of report.interruptions ?? [])
        expect(gap.at >= to - 1 || gap.at + gap.ms <= from + 1).toBe(true);
  }
  const ledger = await readBackLedger(input);
  expect(ledger).toMatchObject({ lost: 0 });
  expect(ledger.acknowledged).toBeGreaterThan(acknowledged);
  await removeProbeKeys(input);
  expect(await keys(cluster, primaries)).toBe(before);
}, 600_000);

test('an unreachable seed is one clear error, and no process is left', async () => {
  using place = scratch();
  const input = {
    seeds: ['127.0.0.1:1'],
    endpoint: { host: '', port: 0 },
    shards: [{ name: 'shard-1', slots: [[0, 16383] satisfies [number, number]] }],
    policy: { rate: 10, prefix: 'probe' },
    folder: place.folder,
  };
  await expect(startProbe(input)).rejects.toMatchObject({ name: 'RolloutError', type: 'Unreachable' });
});
