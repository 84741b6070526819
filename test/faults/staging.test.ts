// A rehearsal that begins with what it can't rely on, or that leaves its servers behind when it fails.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { StagingRecord } from '../../model/staging.js';
import { keySlot } from '../../redis/probe/slot.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { failureOf, openBackupStage } from '../e2e/stage/backups.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { Rehearsals } from '../e2e/stage/rehearsals.js';

let stage: Stage;
beforeEach(async () => {
  stage = await openBackupStage();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

test('without a proven backup, and where the copy’s name is taken, nothing is begun', async () => {
  await using cluster = await Sandbox.cluster({ release: '6.2' });
  const rehearsals = new Rehearsals(stage, cluster);
  await rehearsals.deploy();
  const unproven = await failureOf((await rehearsals.start({ to: '8.0' })).result());
  expect(unproven.type).toBe('BadInput');
  expect(unproven.message).toContain('was proven yet');
  expect(unproven.message).toContain('orders itself was not touched');

  const theirs = join(stage.deployments, 'orders-staging.yaml');
  await writeFile(theirs, 'name: orders-staging\n');
  const taken = await failureOf((await rehearsals.start({ to: '8.0' })).result());
  expect(taken.message).toContain('was not written by a rehearsal');
});

test('a copy that runs out of memory says so, is on record as no-go, and leaves nothing behind', async () => {
  await using cluster = await Sandbox.cluster({ release: '6.2' });
  await Dataset.write(cluster, 3000);
  const rehearsals = new Rehearsals(stage, cluster);
  await rehearsals.deploy({}, { staging: 'required' });
  await rehearsals.backUp();
  // The copy has the same limit, and the data is more than that by now.
  for (const { address } of cluster.nodes) await cluster.ask(address, 'CONFIG', 'SET', 'maxmemory', '1mb');

  const { type, message } = await failureOf((await rehearsals.start({ to: '8.0' })).result());

  expect(type).toBe('TargetFull');
  expect(message).toMatch(/has no memory left for the backup: OOM/);
  expect(message).toContain('orders itself was not touched. Once more: rollout staging start orders --to 8.0');
  expect(await rehearsals.left()).toEqual([]);
  expect(await rehearsals.records()).toMatchObject([
    {
      decision: 'no-go',
      from: expect.stringMatching(/^6\.2\./) as string,
      steps: [{ name: 'copy', result: 'failed' }],
    },
  ]);

  // Production asks for a rehearsal, and there is none that went well.
  const refused = await (await stage.start('orders', '8.0')).failure();
  expect(refused.message).toContain('policy.staging is required');
});

test('of a sample by slots only those keys are copied, and all is done with them that is done with the whole', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 3 });
  await Dataset.write(cluster, 400);
  const rehearsals = new Rehearsals(stage, cluster);
  await rehearsals.deploy({}, { staging: 'required' });
  await rehearsals.backUp();
  // Of one shard a half, and of the next a little.
  const inSample = Array.from({ length: 400 }, (_, i) => keySlot(`{${i}}`)).filter(
    (slot) => slot >= 3000 && slot <= 5999,
  );

  const record = (await (await rehearsals.start({ to: '8.0', slots: ['3000-5999'] })).result()) as StagingRecord;

  expect(record).toMatchObject({ decision: 'go', keys: inSample.length, shards: 2, slots: ['3000-5999'] });
  const notPassed = record.steps.filter(({ result }) => result !== 'passed');
  expect(notPassed).toMatchObject([{ name: 'targets', result: 'skipped' }]);
  expect(record.steps.map(({ name }) => name)).toEqual(expect.arrayContaining(['fallback to 7.0.15', 'finalize']));
  expect(await rehearsals.left()).toEqual([]);
  const upgrade = await stage.start('orders', '8.0');
  expect((await upgrade.result()).result).toBe('completed');
  const { timeline } = await upgrade.read();
  expect(timeline.map(({ text }) => text)).toContainEqual(expect.stringContaining('go, of slots 3000-5999 only'));
}, 1_200_000);

test('in two hops, as production would go: both are rehearsed, taken back to where they began, and rehearsed again', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0.6', primaries: 1 });
  await Dataset.write(cluster, 300);
  const rehearsals = new Rehearsals(stage, cluster);
  await rehearsals.deploy({}, { staging: 'required' });
  await rehearsals.backUp();

  const record = (await (await rehearsals.start({ to: '7.2', via: ['7.0'] })).result()) as StagingRecord;

  expect(record).toMatchObject({ decision: 'go', from: '5.0.6', via: ['7.0.15'], to: '7.2.4' });
  const passed = record.steps.filter(({ result }) => result === 'passed').map(({ name }) => name);
  expect(passed.filter((name) => name === 'upgrade to 7.2.4')).toHaveLength(2);
  expect(passed).toEqual(expect.arrayContaining(['fallback to 5.0.6', 'content, after all of it', 'finalize']));
  expect(await rehearsals.left()).toEqual([]);
  // Straight to the second is another upgrade, which nobody has rehearsed.
  const other = await (await stage.start('orders', '7.0')).failure();
  expect(other.message).toContain('policy.staging is required');
  expect((await (await stage.start('orders', '7.2', { via: ['7.0'] })).result()).result).toBe('completed');
}, 1_200_000);
