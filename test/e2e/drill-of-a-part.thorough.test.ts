// A drill that the machine is too small for, and begins all the same; a part that is told as the whole.
import { Cluster } from 'ioredis';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { openBackupStage } from './stage/backups.js';
import { backUp, deployDrilled, drillAt, foundBy, rolloutAt } from './stage/drills.js';

let stage: Stage;
beforeEach(async () => {
  stage = await openBackupStage();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

test('what is too large for the machine is refused with figures, and held in parts, in turns, each told as a part', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', replicasEach: 0 });
  await deployDrilled(stage, cluster, { memory: '20MB' });
  const clients = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
  for (let i = 0; i < 300; i++) await clients.set(`key:${i}`, String(i));
  clients.disconnect();
  await backUp(stage);

  const large = await rolloutAt(stage, 'drill', 'orders');
  expect(large.code).toBe(3);
  expect(large.stderr).toMatch(
    /needs about \d+\.\d MB of memory, and may take 20\.0 MB of the worker’s machine \S+ \(by drill\.memory\)\. Restore a part/,
  );
  expect((await rolloutAt(stage, 'drills', 'orders')).stdout).toContain('No drill of orders');

  await deployDrilled(stage, cluster, { failures: true, objectives: { recoveryTime: '10m' } });
  const parts = [await drillAt(stage, '--sample', '1'), await drillAt(stage, '--sample', '2')];
  expect(parts.map(({ part }) => part?.shards.length)).toEqual([1, 2]);
  expect(new Set(parts.flatMap(({ part }) => part?.shards)).size).toBe(3);
  expect(parts.reduce((sum, { keys }) => sum + keys, 0)).toBe(300);
  for (const part of parts) {
    expect(foundBy(part, 'a primary dies')).toMatch(/^passed: called failed after .* written to again after /);
    expect(foundBy(part, 'objective recovery time')).toMatch(
      /^skipped: .* for a part of the deployment; the 10 min of /,
    );
    const died = part.steps.find(({ name }) => name === 'a primary dies')?.measured;
    expect(died?.writableMs).toBeGreaterThanOrEqual(died?.detectedMs ?? Infinity);
  }
  const half = await drillAt(stage, '--slots', '0-8191');
  expect(half.part).toMatchObject({ ofShards: 3, share: 0.5, slots: [[0, 8191]] });
  expect(half.keys).toBeGreaterThan(0);
  expect(half.keys).toBeLessThan(300);
  expect(foundBy(half, 'verify')).toBe(`passed: ${half.keys} keys compared with the backup, 0 different`);

  const shown = await rolloutAt(stage, 'drills', 'orders');
  expect(shown.stdout).toMatch(/1 of 3 +20/);
  const both = await rolloutAt(stage, 'drill', 'orders', '--sample', '1', '--slots', '0-9');
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('expected one of shards, slots and sample')]);
  const unknown = await rolloutAt(stage, 'drill', 'orders', '--shards', 'shard-9');
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('found shard-9')]);
  const none = await rolloutAt(stage, 'drill', 'orders', '--at', 'now');
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('found none (rollout archive)')]);
});
