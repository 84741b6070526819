// Somebody's data in a temporary file, in a server's dump.rdb, in a log or in Temporal, where nobody thought of it.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { ArchiveStore } from '../../integrations/archive-store.js';
import { BackupStore } from '../../integrations/backup-store.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import type { BackupVerdict } from '../../model/backup-manifest.js';
import type { RestoreResult } from '../../model/backup-restore.js';
import type { DrillRecord } from '../../model/drill.js';
import {
  archiveWorkflowId,
  backupWorkflowId,
  drillWorkflowId,
  operationId,
  TASK_QUEUE,
  verifyBackupWorkflowId,
} from '../../model/names.js';
import { windowsOf } from '../../model/recovery.js';
import type { PointVerdict } from '../../model/recovery-point.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { historyText } from '../../scripts/sandbox/operation.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { inBucket, openBackupStage } from '../e2e/stage/backups.js';
import { Planted } from '../e2e/stage/planted.js';

const value = `value-of-${randomBytes(12).toString('hex')}`;
const name = `name-of-${randomBytes(12).toString('hex')}`;
const KEYS = 300;

let s3: S3Server;
let stage: Stage;
/** Of the workers. */
let temporary: string;
beforeAll(async () => {
  s3 = await S3Server.start();
});
afterAll(() => s3[Symbol.asyncDispose]());
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'redis-rollout-worker-'));
  stage = await openBackupStage(s3, { worker: { TMPDIR: temporary } });
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
  await rm(temporary, { recursive: true, force: true });
});

const start = (type: string, workflowId: string, more: object = {}) =>
  stage.client.workflow.start(type, {
    ...{ workflowId, taskQueue: TASK_QUEUE, args: [{ deployment: 'orders', startedBy: 'ana', ...more }] },
  });
const run = async (type: string, workflowId: string, more: object = {}): Promise<unknown> =>
  (await start(type, workflowId, more)).result();

const MEMORY = '/dev/shm';
const scratchInMemory = (): string[] =>
  readdirSync(MEMORY)
    .filter((it) => it.startsWith(`redis-rollout-scratch-${stage.workerPid}-`))
    .map((it) => join(MEMORY, it));

test('whoever looks sees what lies somewhere for a moment, compressed and behind something else, and what is held open', async () => {
  const file = join(temporary, 'deep', 'file');
  const child = spawn('sh', ['-c', `exec 7>${join(temporary, 'held')}; exec sleep 60`]);
  const planted = Planted.begin([value], { folders: () => [temporary], workers: () => [process.pid] });
  await mkdir(join(temporary, 'deep'));
  await writeFile(file, Buffer.concat([randomBytes(100), gzipSync(`${'x'.repeat(1000)}${value}`)]));
  await until('it is seen', () => planted.found.size > 0);
  await rm(file);
  await until('it is held', () => planted.held.has(join(temporary, 'held')));
  await planted[Symbol.asyncDispose]();
  child.kill('SIGKILL');
  expect([...planted.found]).toEqual([file]);
});

test.each(['5.0', '8.0'])(
  '%s: what was planted is archived, backed up, proven, restored and rehearsed, and is in no file and in no history',
  async (release) => {
    // An idle shard is archived as far as its last ping.
    const configuration = ['repl-diskless-sync yes', 'repl-ping-replica-period 1'];
    await using cluster = await Sandbox.cluster({ release, primaries: 1, configuration });
    const [primary] = cluster.nodes;
    const write = async (from: number): Promise<void> => {
      await using node = await cluster.connect();
      await node.pipeline(
        Array.from({ length: KEYS }, (_, i) =>
          i % 3 === 0 ? ['RPUSH', `${name}:${from + i}`, value, i] : ['SET', `${name}:${from + i}`, `${value} ${i}`],
        ),
      );
    };
    await stage.deploy('orders', cluster, {
      backup: inBucket(stage, s3, { prefix: randomBytes(4).toString('hex') }),
      drill: { nodeTimeout: '1500ms' },
    });
    await write(0);
    const planted = Planted.begin([value, name], {
      folders: () => [temporary, stage.root, s3.file('..'), ...scratchInMemory()],
      workers: () => [stage.workerPid],
    });
    const archiving = await start('archive', archiveWorkflowId('orders'));
    const deployment = await loadDeployment('orders', stage.deployments);
    const [backups, archive] = [await BackupStore.open(deployment), await ArchiveStore.open(deployment)];
    const reaches = (ms: number): Promise<void> =>
      until(
        'it is archived until then',
        async () =>
          windowsOf(await backups.manifests(), await archive.segments()).some(({ from, to }) => from <= ms && ms <= to),
        90_000,
      );
    await until('a backup lies in it', async () => (await backups.manifests()).length > 0, 90_000);
    await write(KEYS);
    await cluster.ask(primary?.address, 'FLUSHALL');
    await reaches(Date.now());

    const proven = (await run('verifyBackup', verifyBackupWorkflowId('orders'))) as BackupVerdict;
    const before = { before: 'FLUSHALL' };
    const point = (await run('verifyBackup', verifyBackupWorkflowId('orders'), before)) as PointVerdict;
    const restored = (await run('restore', operationId('orders'), before)) as RestoreResult;
    await run('backup', backupWorkflowId('orders'));
    const drill = (await run('drDrill', drillWorkflowId('orders'))) as DrillRecord;
    await archiving.cancel();
    await planted[Symbol.asyncDispose]();

    // All of it was there to be found.
    expect(proven).toMatchObject({ result: 'restored', shards: [{ keys: KEYS }] });
    expect(point.shards).toMatchObject([{ keys: 2 * KEYS }]);
    expect(restored).toMatchObject({ written: { keys: 2 * KEYS }, compared: [{ same: 2 * KEYS }] });
    expect(drill).toMatchObject({ passed: true, keys: 2 * KEYS });
    expect(planted.looks).toBeGreaterThan(20);
    expect([...planted.held].some((file) => file.startsWith(temporary))).toBe(true);

    // A replica of before 6.0 takes what its primary sends by way of a file: a drill's, in memory.
    const inMemoryOnly = (files: Iterable<string>): string[] =>
      [...files].filter((file) => release !== '5.0' || !file.startsWith(MEMORY));
    expect(inMemoryOnly(planted.found)).toEqual([]);
    const held = inMemoryOnly(planted.held).filter((file) => /redis-rollout-(worker|scratch)/.test(file));
    // One that was removed while it was open is ` (deleted)`.
    const others = held.filter((file) => !/^(redis\.log|redis\.conf|nodes\.conf)( \(deleted\))?$/.test(basename(file)));
    expect(others).toEqual([]);
    expect(await readdir(temporary)).toEqual([]);
    await expectInNoHistory();
  },
  480_000,
);

async function expectInNoHistory(): Promise<void> {
  let count = 0;
  for await (const { workflowId, runId } of stage.client.workflow.list()) {
    const text = historyText(await stage.client.workflow.getHandle(workflowId, runId).fetchHistory());
    count++;
    expect(text).toContain('orders');
    for (const secret of [value, name, process.env['ROLLOUT_TEST_BACKUP_KEY'] ?? '?', s3.secretAccessKey])
      expect(text.includes(secret), `${workflowId} has it`).toBe(false);
  }
  expect(count).toBeGreaterThanOrEqual(6);
}
