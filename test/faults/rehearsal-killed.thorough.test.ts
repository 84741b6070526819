// A rehearsal whose worker dies, and that ends in another record than it would have, or leaves a copy behind.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { StagingRecord } from '../../model/staging.js';
import type { StagingActivities } from '../../model/staging-work.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import type { WorkerFault } from '../../scripts/sandbox/worker-faults.js';
import { openBackupStage } from '../e2e/stage/backups.js';
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

/** In the middle of each, too, where it does something to the world. The type has a new one be here from its first day on. */
const kills: Record<keyof StagingActivities, readonly (number | string)[]> = {
  beginStaging: [],
  makeCopy: ['spawn'],
  configureCopy: [],
  fillCopy: [],
  compareCopy: [],
  tryCopy: [],
  checkCopy: [],
  benchmarkCopy: [],
  loadCopy: [],
  removeCopy: [1],
  recordStaging: [],
  readSignOff: [],
};
const killsOf = (activity: keyof StagingActivities): WorkerFault[] =>
  [
    { when: 'before' as const },
    ...kills[activity].map((at) => ({ when: 'during' as const, at })),
    { when: 'after' as const },
  ].map((moment) => ({ activity, kind: 'kill', ...moment }));

test('killed before and after each activity of it: the same record, nothing left, and production as it was', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.2', primaries: 1 });
  await Dataset.write(cluster, 200);
  const rehearsals = new Rehearsals(stage, cluster);
  const application = createServer((_, response) => response.end('works')).listen(0, '127.0.0.1');
  await once(application, 'listening');
  const { port } = application.address() as { port: number };
  const check = { kind: 'http', name: 'cart', url: `http://127.0.0.1:${port}/` } as const;
  await rehearsals.deploy({ mask: {}, checks: [check] }, { staging: 'required' });
  await rehearsals.backUp();
  const untouched = await rehearsals.production();
  const activities = Object.keys(kills) as (keyof StagingActivities)[];
  // This one is an upgrade's.
  const own = activities.filter((it) => it !== 'readSignOff');
  await stage.faults.draw(...own.flatMap(killsOf));
  stage.keepWorker(2);

  const record = (await (await rehearsals.start({ to: '8.0' })).result()) as StagingRecord;

  expect(await stage.faults.unfired()).toEqual([]);
  const { to } = record;
  expect(record.steps.map(({ name, result }) => `${name}: ${result}`)).toEqual([
    ...['copy: passed', 'content: passed', `check cart, on ${record.from}: passed`],
    ...[`benchmark on ${record.from}: passed`, `upgrade to ${to}: passed`],
    ...[`benchmark on ${to}: passed`, `fallback to ${record.from}: passed`],
    ...[`benchmark on ${record.from} again: passed`, `upgrade to ${to}: passed`, `benchmark on ${to} again: passed`],
    ...[
      'replication: passed',
      'persistence: passed',
      'expiry: passed',
      `check cart, on ${to}: passed`,
      'finalize: passed',
      'content, after all of it: passed',
    ],
    'targets: skipped',
  ]);
  expect(record).toMatchObject({ decision: 'go', shards: 1 });
  expect(record.steps[0]?.found).toContain('values and keys masked');
  expect(await rehearsals.left()).toEqual([]);
  expect(await rehearsals.records()).toMatchObject([{ staging: record.staging, decision: 'go' }]);
  expect(await rehearsals.production()).toEqual(untouched);

  await stage.faults.draw(...killsOf('readSignOff'));
  expect(await (await stage.start('orders', '8.0')).result()).toMatchObject({ result: 'completed' });
  expect(await stage.faults.unfired()).toEqual([]);
  application.close();
}, 1_800_000);
