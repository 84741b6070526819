import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createActivities } from '../../activities/index.js';
import { operationId, rollingId, shardId } from '../../model/names.js';
import type { Activities, BackupActivities } from '../../model/work.js';
import { processesIn } from '../../platforms/process/processes.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import type { WorkerFault } from '../../scripts/sandbox/worker-faults.js';
import { Dataset } from './stage/dataset.js';
import { expectCompleted, expectNothingLost, expectUnnoticed, readReport } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';

// The worker is killed before, in the middle of and after every activity there is, and on the retries too. What each
// upgrade below is killed in is the list of all activities: a new one is in it from its first day on.
type Activity = keyof (Activities & BackupActivities);

/** Activities that only these upgrades come by; all others occur in every one, and are killed in the first. */
const special: Partial<
  Record<Activity, 'with a sibling' | 'taken back' | 'brought back' | 'there and back' | 'restored' | 'backed up'>
> = {
  compareReplica: 'with a sibling',
  revert: 'taken back',
  bringBack: 'brought back',
  addStandby: 'there and back',
  freezeStandby: 'there and back',
  readStandbys: 'there and back',
  removeStandby: 'there and back',
  follow: 'there and back',
  seeStandbys: 'there and back',
  assessFallback: 'there and back',
  lookBack: 'there and back',
  cutOver: 'there and back',
  returnNode: 'there and back',
  // In fallback-restore.test.ts.
  restoreShard: 'restored',
  // In backup.test.ts.
  beginBackup: 'backed up',
  sealShard: 'backed up',
  endBackup: 'backed up',
  readBackup: 'backed up',
  proveShard: 'backed up',
  recordVerdict: 'backed up',
};

/** The moments worth more than any others: killed right before this is done to the world. */
const worst: Partial<Record<Activity, readonly string[]>> = {
  prepareShard: ['CONFIG SET repl-backlog-size'],
  isolate: ['CONFIG SET'],
  snapshot: ['BGSAVE', 'symlink'],
  swapVersion: ['SHUTDOWN', 'spawn'],
  handOver: ['CLUSTER FAILOVER'],
  release: ['CONFIG SET'],
  revert: ['spawn'],
  bringBack: ['spawn'],
  readLedger: ['UNLINK'],
  putBackShard: ['CONFIG SET repl-backlog-size'],
  addStandby: ['spawn'],
  freezeStandby: ['REPLICAOF', 'spawn', 'CLUSTER MEET'],
  removeStandby: ['CLUSTER FORGET'],
  follow: ['EVALSHA'],
  cutOver: ['CLIENT PAUSE', 'EVALSHA'],
  returnNode: ['SHUTDOWN', 'spawn'],
};

/** ROLLOUT_THOROUGH=1 kills before each activity too, and once more in the middle: twice the time, for the same steps. */
const thorough = process.env['ROLLOUT_THOROUGH'] === '1';

function killsOf(activity: Activity): WorkerFault[] {
  const middle = worst[activity] ?? [thorough ? 10 : 2];
  const during = [...(thorough ? [2] : []), ...middle].map((at) => ({ when: 'during' as const, at }));
  const before = thorough ? [{ when: 'before' as const }] : [];
  // Each but the first befalls the retry of the one before.
  return [...before, ...during, { when: 'after' as const }].map((moment) => ({
    ...{ activity, kind: 'kill', ...moment },
  }));
}

const nobody = (): never => {
  throw new Error('only their names are asked for');
};
const activities = Object.keys(
  createActivities({ deployments: '', state: '', searchable: false, collectReport: nobody }),
) as Activity[];
const killsIn = (where?: string): WorkerFault[] =>
  activities.filter((activity) => special[activity] === where).flatMap(killsOf);

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open({ quickRetries: true });
});
afterEach(() => stage[Symbol.asyncDispose]());

const policy = { canarySoak: '0s', soak: '0s' } as const;

/** Every kill has happened, and no process has outlived the workers that started it but the nodes' own servers. */
async function expectKilled(cluster: Sandbox): Promise<void> {
  expect(await stage.faults.unfired()).toEqual([]);
  for (const { home } of cluster.nodes) expect(await processesIn(home, [])).toHaveLength(1);
}

test('in every activity of 7.0 → 8.0, three shards at once, fast', async () => {
  // Too small for any upgrade: it is enlarged, and put back.
  await using cluster = await Sandbox.cluster({ release: '7.0', configuration: ['repl-backlog-size 16kb'] });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { ...policy, handover: 'fast', parallelShards: 3 } });
  await stage.faults.draw(...killsIn());
  stage.keepWorker(2);

  const outcome = await (await stage.start('orders', '8.0')).result();

  expectCompleted(outcome);
  await expectKilled(cluster);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  const report = await readReport(outcome);
  expectUnnoticed(report);
  expect(report.probe?.interruptions?.length).toBeGreaterThan(0);
}, 600_000);

test('in the handover of 5.0.6 → 8.0, safe, and while siblings are compared', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0.6', primaries: 1, replicasEach: 2 });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { ...policy, handover: 'safe' } });
  await stage.faults.draw(...killsIn('with a sibling'), ...killsOf('handOver'));
  stage.keepWorker(2);

  const outcome = await (await stage.start('orders', '8.0')).result();

  expectCompleted(outcome);
  await expectKilled(cluster);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  expectUnnoticed(await readReport(outcome));
}, 600_000);

test('in every activity of an upgrade with standbys, and of its way back', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, {
    policy: {
      ...{ ...policy, soak: '1h', handover: 'fast', settle: '1s', fallback: 'standby' },
      // Half of it is less than a worker takes to come back: whoever followed during the cutover has to begin anew.
      ttlTolerance: '2s',
    },
  });
  await stage.faults.draw(...killsIn('there and back'));
  stage.keepWorker(2);
  const upgrade = await stage.start('orders', '8.0');
  await upgrade.until('it soaks', ({ phase }) => phase === 'soaking', 500_000);

  expect(await upgrade.tell('fallback', { by: 'ana', reason: 'a drill' })).toHaveProperty('done');
  const outcome = await upgrade.result();

  expect(outcome).toMatchObject({ result: 'fell back' });
  await expectKilled(cluster);
  await expectWhole(cluster, { release: '7.0.15', before });
  await dataset.expectSame(10_000);
  const report = await readReport(outcome);
  expect(report.probe?.ledger).toMatchObject({ lost: 0 });
  expect(report.verify.reduce((sum, { different }) => sum + different, 0)).toBe(0);
  expect(report.cutovers).toHaveLength(1);
}, 900_000);

test('while a replica is taken back from a new version that dies', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  const program = join(stage.root, 'redis-server-that-ends');
  await writeFile(program, '#!/bin/sh\necho "no library" >&2\nexit 1\n');
  await chmod(program, 0o755);
  await stage.deploy('orders', cluster, { platform: { kind: 'process', servers: { '8.0.6': program } }, policy });
  await stage.faults.draw(...killsIn('taken back'));
  stage.keepWorker(2);

  const operation = await stage.start('orders', '8.0');
  const { type, message } = await operation.failure();

  expect({ type, message }).toMatchObject({ type: 'StartFailed' });
  expect(message).toContain('failed on the new version and is back on 7.0.15');
  await expectKilled(cluster);
  await expectNothingLost(operation);
  await expectWhole(cluster, { release: '7.0.15', before });
  await dataset.expectSame(10_000);
}, 600_000);

test('while a node is brought back that a terminated upgrade left down', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy });
  await stage.faults.draw({ activity: 'swapVersion', when: 'during', at: 'spawn', kind: 'kill' });
  await stage.start('orders', '8.0');
  await until(
    'the worker was killed with the node down',
    async () => (await stage.faults.unfired()).length === 0,
    60_000,
  );
  // Root first: what it started would otherwise bring the node back by itself, before it ends.
  for (const id of [operationId('orders'), rollingId(operationId('orders')), shardId(operationId('orders'), 'shard-1')])
    await stage.client.workflow.getHandle(id).terminate('its operator gave up');
  await stage.faults.draw(...killsIn('brought back'));
  stage.keepWorker(2);

  const outcome = await (await stage.start('orders', '8.0')).result();

  expectCompleted(outcome);
  await expectKilled(cluster);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
}, 600_000);
