// A backup that can't be brought back where it is wanted, or that brings back something else.
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { BackupManifest } from '../../model/backup-manifest.js';
import type { RestoreForecast, RestoreResult } from '../../model/backup-restore.js';
import type { DeploymentFile } from '../../model/deployment.js';
import { backupWorkflowId, operationId, restorePlanWorkflowId, TASK_QUEUE } from '../../model/names.js';
import type { OperationStatus } from '../../model/operation.js';
import { keySlot } from '../../redis/probe/slot.js';
import { readTopology } from '../../redis/topology.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import type { Ended } from '../../workflows/run.js';
import { rollout as runCli, rolloutOnTerminal } from '../scripts/rollout/stage/cli.js';
import { encryption, failureOf, inBucket, openBackupStage } from './stage/backups.js';
import { Dataset } from './stage/dataset.js';
import { thoroughly } from '../thorough.js';

let s3: S3Server;
let stage: Stage;
let prefix: string;
beforeAll(async () => {
  s3 = await S3Server.start();
});
afterAll(() => s3[Symbol.asyncDispose]());
beforeEach(async () => {
  prefix = `redis/${randomBytes(4).toString('hex')}`;
  stage = await openBackupStage(s3);
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const bucket = (key = encryption.key): DeploymentFile['backup'] => ({
  ...inBucket(stage, s3, { prefix }),
  encryption: { key },
});

async function takeBackup(deployment: string): Promise<BackupManifest> {
  const handle = await stage.client.workflow.start('backup', {
    workflowId: backupWorkflowId(deployment),
    taskQueue: TASK_QUEUE,
    args: [{ deployment, startedBy: 'ana' }],
  });
  return (await handle.result()) as BackupManifest;
}

type Input = Record<string, unknown> & { deployment: string };
type Done = Ended<RestoreResult> & RestoreResult;

const begin = (input: Input) =>
  stage.client.workflow.start('restore', {
    workflowId: operationId(input.deployment),
    taskQueue: TASK_QUEUE,
    args: [{ startedBy: 'ana', ...input }],
  });
const restore = async (input: Input): Promise<Done> => (await (await begin(input)).result()) as Done;
async function dryRun(input: Input): Promise<RestoreForecast> {
  const handle = await stage.client.workflow.start('restore', {
    workflowId: restorePlanWorkflowId(input.deployment),
    taskQueue: TASK_QUEUE,
    args: [{ startedBy: 'ana', dryRun: true, ...input }],
  });
  return (await handle.result()) as RestoreForecast;
}
const like = (text: string): string => expect.stringContaining(text) as string;

async function primariesOf(cluster: Sandbox): Promise<string[]> {
  const { shards } = await readTopology(
    cluster.endpoint(),
    cluster.nodes.map(({ address }) => address),
  );
  return shards.map(({ primary }) => primary.address);
}
async function keysOf(cluster: Sandbox): Promise<string[]> {
  const all = await Promise.all(
    (await primariesOf(cluster)).map(async (it) => (await cluster.ask(it, 'KEYS', '*')) as string[]),
  );
  return all.flat().sort();
}
async function flush(cluster: Sandbox): Promise<void> {
  for (const address of await primariesOf(cluster)) await cluster.ask(address, 'FLUSHALL');
}
/** To whoever serves it. */
async function put(cluster: Sandbox, key: string, ...command: [string, ...(string | number)[]]): Promise<unknown> {
  const { shards } = await readTopology(
    cluster.endpoint(),
    cluster.nodes.map(({ address }) => address),
  );
  const slot = keySlot(key);
  const owner = shards.find(({ slots }) => slots.some(([from, to]) => from <= slot && slot <= to));
  return cluster.ask(owner?.primary.address, ...command);
}

test('the same deployment after a FLUSHALL: all, and what is there already stays, is refused, or is replaced', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0' });
  const dataset = await Dataset.write(cluster, 300);
  await put(cluster, 'gone', 'SET', 'gone', 'soon', 'PX', 20_000);
  await stage.deploy('orders', cluster, { backup: bucket() });
  const { backup } = await takeBackup('orders');
  await until('it has expired', async () => (await put(cluster, 'gone', 'EXISTS', 'gone')) === 0, 60_000);
  await flush(cluster);

  const empty = await dryRun({ deployment: 'orders' });
  expect(empty).toMatchObject({
    ...{ backup, deployment: 'orders', from: 'orders', tooLarge: [] },
    totals: { keys: 301, selected: 301, expired: 1, present: 0, written: 300, replaced: 0, targetKeys: 0 },
  });
  expect(await keysOf(cluster)).toEqual([]);

  const done = await restore({ deployment: 'orders' });
  expect(done).toMatchObject({ result: 'completed', backup, liveWriters: false, written: { keys: 300 } });
  expect(done.statement).toContain('300 keys as in the backup');
  await dataset.expectSame(1500);

  // Now it has keys, of which one is other than it was and one is nobody's.
  await put(cluster, 'shop:{1}:1', 'SET', 'shop:{1}:1', 'other');
  await put(cluster, 'own', 'SET', 'own', 'one');
  const refused = await failureOf(restore({ deployment: 'orders', confirm: 'orders' }));
  expect(refused).toMatchObject({ type: 'Stopped', message: like('300 keys of the backup are in orders already') });
  expect(refused.message).toContain('Nothing was written to orders.');
  const unconfirmed = await failureOf(restore({ deployment: 'orders', existing: 'replace' }));
  expect(unconfirmed.message).toContain('nobody has confirmed that it is restored into');
  expect(unconfirmed.message).toContain('300 would be OVERWRITTEN');
  expect(await failureOf(restore({ deployment: 'orders', confirm: 'ordres' }))).toMatchObject({
    type: 'BadInput',
    message: like("confirm: expected 'orders', the deployment that is written to, found 'ordres'"),
  });
  expect(await put(cluster, 'shop:{1}:1', 'GET', 'shop:{1}:1')).toBe('other');

  const kept = await restore({ deployment: 'orders', existing: 'keep', confirm: 'orders' });
  expect(kept.restored.reduce((sum, it) => sum + it.kept, 0)).toBe(300);
  expect(kept.compared.reduce((sum, it) => sum + it.different, 0)).toBe(1);
  expect(await put(cluster, 'shop:{1}:1', 'GET', 'shop:{1}:1')).toBe('other');

  const replaced = await restore({ deployment: 'orders', existing: 'replace', confirm: 'orders' });
  expect(replaced).toMatchObject({ confirmedBy: 'ana', written: { keys: 300 } });
  await dataset.expectSame(1500);
  expect(await put(cluster, 'own', 'GET', 'own')).toBe('one');

  // Exactly as in the backup: nothing without being told, and only among what is meant.
  await put(cluster, 'other', 'SET', 'other', 'two');
  expect(await failureOf(restore({ deployment: 'orders', exactly: true }))).toMatchObject({
    ...{ type: 'BadInput', message: like('exactly: expected existing: replace beside it') },
  });
  const exactly = { deployment: 'orders', existing: 'replace', exactly: true };
  const told = await dryRun(exactly);
  expect(told).toMatchObject({ totals: { present: 300, removed: 2 } });
  const asked = await failureOf(restore(exactly));
  expect(asked.message).toMatch(
    /2 keys of orders are not in the backup.* would be REMOVED \((own, other|other, own)\)/,
  );
  expect(await put(cluster, 'own', 'GET', 'own')).toBe('one');
  stage.keepWorker();
  await stage.faults.draw(
    ...(['before', 'after'] as const).map((when) => ({
      activity: 'removeOthers' as const,
      when,
      kind: 'kill' as const,
    })),
  );
  const meant = await restore({ ...exactly, keys: 'ow*', confirm: 'orders' });
  expect(meant.result).toBe('completed');
  expect(await put(cluster, 'own', 'EXISTS', 'own')).toBe(0);
  expect(await stage.faults.unfired()).toEqual([]);
  expect(await put(cluster, 'other', 'GET', 'other')).toBe('two');
  const all = await restore({ ...exactly, confirm: 'orders' });
  expect(all).toMatchObject({ result: 'completed', statement: like('Removed: 1 key that was not in the backup.') });
  expect(await keysOf(cluster)).toHaveLength(300);
  await dataset.expectSame(1500);
}, 600_000);

test('a cluster of two shards and one of four, an older release, a pattern and a range of slots', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', replicasEach: 0 });
  const dataset = await Dataset.write(cluster, 200);
  for (let i = 0; i < 50; i++) await put(cluster, `cart:${i}`, 'SET', `cart:${i}`, i);
  await put(cluster, 'newer', 'HSET', 'newer', 'field', 'value');
  await put(cluster, 'newer', 'HPEXPIRE', 'newer', 600_000, 'FIELDS', 1, 'field');
  await stage.deploy('orders', cluster, { backup: bucket() });
  await takeBackup('orders');

  for (const [name, primaries, release] of [
    ['two', 2, '8.0'],
    ['four', 4, '6.2'],
  ] as const) {
    await using other = await Sandbox.cluster({ release, primaries, replicasEach: 0 });
    await stage.deploy(name, other, { backup: { directory: join(stage.root, 'elsewhere') } });
    const some = await restore({ deployment: name, from: 'orders', keys: 'cart:[0-9]' });
    expect(some.written.keys).toBe(10);
    expect(await keysOf(other)).toEqual(Array.from({ length: 10 }, (_, i) => `cart:${i}`));
    const ranges = { deployment: name, from: 'orders', slots: ['0-5460'], existing: 'keep', confirm: name };
    await restore(ranges);
    const inRange = (await keysOf(cluster)).filter((key) => keySlot(key) <= 5460);
    expect((await keysOf(other)).filter((key) => keySlot(key) <= 5460)).toEqual(inRange);
    expect((await keysOf(other)).filter((key) => keySlot(key) > 5460).every((key) => /^cart:\d$/.test(key))).toBe(true);

    const all = await restore({ deployment: name, from: 'orders', existing: 'replace', confirm: name, rate: 100_000 });
    expect(all).toMatchObject({ result: 'completed', from: 'orders', deployment: name, liveWriters: false });
    expect(await keysOf(other)).toEqual(await keysOf(cluster));
    await dataset.expectSame(1500, other);
    const lacks = all.restored.flatMap((it) => Object.entries(it.lacking));
    expect(lacks).toEqual(release === '6.2' ? [['field expiries', { count: 1, examples: ['newer'] }]] : []);
    expect(all.statement.includes('Not representable there: field expiries, of 1 (newer)')).toBe(release === '6.2');
  }
}, 480_000);

thoroughly(
  'a worker that dies in the middle, while it is watched; no upgrade begins beside it',
  async () => {
    await using cluster = await Sandbox.cluster({ release: '7.0' });
    const dataset = await Dataset.write(cluster, 200);
    for (let i = 0; i < 3; i++) {
      const tag = ['{a}', '{b}', '{c}'][i] ?? '';
      for (let n = 0; n < 4000; n += 1000)
        await put(cluster, tag, 'MSET', ...Array.from({ length: 1000 }, (_, k) => [`${tag}${n + k}`, 'v']).flat());
    }
    await stage.deploy('orders', cluster, { backup: bucket() });
    await takeBackup('orders');
    await flush(cluster);
    stage.keepWorker();
    await stage.faults.draw(
      ...(['beginRestore', 'forecastShard', 'loadShard', 'compareShard'] as const).flatMap((activity) =>
        (['before', 'after'] as const).map((when) => ({
          activity,
          when,
          kind: 'kill' as const,
        })),
      ),
    );
    const running = await begin({ deployment: 'orders', rate: 3000 });
    await until('a part of it is written', async () => (await keysOf(cluster)).length > 2000, 240_000);
    process.kill(stage.workerPid, 'SIGKILL');
    const refused: unknown = await stage.start('orders', '8.0').catch((error: unknown) => error);
    expect(String(refused)).toMatch(/already started/i);
    const done = (await running.result()) as Done;

    expect(done).toMatchObject({ result: 'completed', liveWriters: false });
    expect(await stage.faults.unfired()).toEqual([]);
    expect(await keysOf(cluster)).toHaveLength(12_200);
    await dataset.expectSame(1500);
    const status = await stage.client.workflow.getHandle(operationId('orders')).query<OperationStatus>('status');
    expect(status).toMatchObject({ phase: 'completed', restoring: { doing: 'comparing', keys: 12_200, done: 12_200 } });
  },
  960_000,
);

test('a wrong key, and an object that was changed: nothing is loaded; a target without room is told before', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', replicasEach: 0 });
  await Dataset.write(cluster, 100);
  await stage.deploy('orders', cluster, { backup: bucket() });
  const manifest = await takeBackup('orders');
  await flush(cluster);

  await stage.deploy('orders', cluster, { backup: bucket('env:ROLLOUT_TEST_OTHER_KEY') });
  expect(await failureOf(restore({ deployment: 'orders' }))).toMatchObject({ type: 'Unauthorized' });
  await stage.deploy('orders', cluster, { backup: bucket() });

  const last = manifest.shards.at(-1);
  const file = s3.file(`${prefix}/${last?.object ?? ''}`);
  const whole = await readFile(file);
  await writeFile(file, whole.subarray(0, -20));
  const damaged = await failureOf(restore({ deployment: 'orders' }));
  expect(damaged).toMatchObject({ type: 'Damaged', message: like(last?.object ?? '?') });
  expect(damaged.message).toContain('Nothing was written to orders.');
  expect(await keysOf(cluster)).toEqual([]);
  await writeFile(file, whole);

  expect(await failureOf(restore({ deployment: 'orders', backup: '20200101T000000Z-00000000' }))).toMatchObject({
    type: 'BadInput',
    message: like('there is no backup 20200101T000000Z-00000000'),
  });

  for (const address of await primariesOf(cluster)) {
    await cluster.ask(address, 'CONFIG', 'SET', 'maxmemory', '1mb');
  }
  const full = await failureOf(restore({ deployment: 'orders' }));
  expect(full).toMatchObject({ type: 'TargetFull', message: like('orders has no room for it') });
  expect(await keysOf(cluster)).toEqual([]);
}, 360_000);

test('by rollout: what would be done, what is refused, and how far it is', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.2', primaries: 1, replicasEach: 0 });
  const [node] = cluster.nodes;
  for (let i = 0; i < 20; i++) await cluster.ask(node?.address, 'SET', `cart:${i}`, i);
  await stage.deploy('orders', cluster, { backup: bucket() });
  const { backup } = await takeBackup('orders');
  const environment = { TEMPORAL_ADDRESS: stage.address, ROLLOUT_DEPLOYMENTS: stage.deployments, ROLLOUT_AS: 'ana' };
  const rollout = (...args: string[]) => runCli(args, { env: environment });
  await cluster.ask(node?.address, 'DEL', 'cart:7');

  const dry = await rollout('restore', 'orders', '--dry-run');
  expect(dry).toMatchObject({ code: 0, stdout: like(`backup ${backup}: 20 keys, of which 1 key would be written`) });
  expect(dry.stdout).toContain('19 keys of the backup are there already: it would be refused; --keep');
  const refused = await rollout('restore', 'orders', '--yes', 'orders');
  expect(refused).toMatchObject({ code: 3, stderr: like('Nothing was written to orders.') });
  expect(await rollout('restore', 'orders', '--keep', '--yes', 'carts')).toMatchObject({
    code: 2,
    stderr: like('--yes: expected orders'),
  });
  expect(await rollout('restore', 'orders', '--slots', '9-5')).toMatchObject({
    code: 2,
    stderr: like('slots.0: expected a slot or a range of slots, 0 to 16383, for example 0-5460, found "9-5"'),
  });
  expect(await cluster.ask(node?.address, 'EXISTS', 'cart:7')).toBe(0);

  const done = await rollout('restore', 'orders', '--keep', '--yes', 'orders', '--json');
  expect(done.code).toBe(0);
  expect(JSON.parse(done.stdout)).toMatchObject({
    result: 'completed',
    backup,
    written: { keys: 1 },
    confirmedBy: 'ana',
  });
  expect(await cluster.ask(node?.address, 'GET', 'cart:7')).toBe('7');
  const status = await rollout('status', 'orders');
  expect(status.stdout).toContain('comparing 20 of 20 keys (100 %)');
}, 360_000);

test('by rollout on a terminal: it is shown what would be done, and goes on once the name is typed, and not before', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.2', primaries: 1, replicasEach: 0 });
  const [node] = cluster.nodes;
  for (let i = 0; i < 20; i++) await cluster.ask(node?.address, 'SET', `cart:${i}`, i);
  await stage.deploy('orders', cluster, { backup: bucket() });
  await takeBackup('orders');
  await cluster.ask(node?.address, 'DEL', 'cart:7');
  await cluster.ask(node?.address, 'SET', 'cart:8', 'changed');
  const env = { TEMPORAL_ADDRESS: stage.address, ROLLOUT_DEPLOYMENTS: stage.deployments, ROLLOUT_AS: 'ana' };
  const asked = /Type orders to go on/;

  const left = await rolloutOnTerminal(['restore', 'orders', '--replace'], { env, type: [[asked, '\u0003']] });
  expect(left).toMatchObject({ code: 130, screen: like('19 would be OVERWRITTEN') });
  expect(left.screen).toContain('nothing was written');
  expect(await cluster.ask(node?.address, 'EXISTS', 'cart:7')).toBe(0);

  const typed = await rolloutOnTerminal(['restore', 'orders', '--replace'], {
    env,
    type: [
      [asked, 'ordres\r'],
      [/expected orders/, `${'\u007f'.repeat(6)}orders\r`],
    ],
  });
  expect(typed).toMatchObject({ code: 0, screen: like('20 keys written') });
  expect(await cluster.ask(node?.address, 'GET', 'cart:7')).toBe('7');
  expect(await cluster.ask(node?.address, 'GET', 'cart:8')).toBe('8');

  // It would be refused anyway: nothing is asked.
  const refused = await rolloutOnTerminal(['restore', 'orders'], { env, type: [] });
  expect(refused).toMatchObject({ code: 3, screen: like('Nothing was written to orders.') });
  expect(refused.screen).not.toMatch(asked);
}, 360_000);
