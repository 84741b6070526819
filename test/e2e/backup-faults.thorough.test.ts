// A backup that is cut short by what happens around it, and is taken for one all the same.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { BackupStore } from '../../integrations/backup-store.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import type { BackupManifest, BackupVerdict } from '../../model/backup-manifest.js';
import { backupWorkflowId, TASK_QUEUE, verifyBackupWorkflowId } from '../../model/names.js';
import { parseInfo } from '../../redis/info.js';
import { Sandbox, until, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import { historyText } from '../../scripts/sandbox/operation.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { Toxiproxy } from '../../scripts/sandbox/toxiproxy.js';
import { failureOf, inBucket, lastFailure, openBackupStage } from './stage/backups.js';
import { answerError, StoreBetween } from './stage/store-between.js';

const PLANTED = 'planted-address-of-ana-3fb1';
const KEYS = 60;
const run = promisify(execFile);

let s3: S3Server;
let stage: Stage;
/** Of the workers. */
let temporary: string;
let cluster: Sandbox;
beforeAll(async () => {
  s3 = await S3Server.start();
  cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  for (let i = 0; i < KEYS; i++) {
    const value = `${PLANTED}${randomBytes(500_000).toString('latin1')}`;
    await cluster.ask(cluster.nodes[0]?.address, 'SET', `large:${i}`, value);
  }
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
});
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'redis-rollout-worker-'));
  stage = await openBackupStage(s3, { worker: { TMPDIR: temporary } });
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
  await rm(temporary, { recursive: true, force: true });
});

const deploy = (name: string, endpoint: string, secretAccessKey = 'env:ROLLOUT_TEST_S3_SECRET'): Promise<void> =>
  stage.deploy(name, cluster, { backup: inBucket(stage, s3, { endpoint, secretAccessKey }) });
const begin = (deployment: string, workflowId = backupWorkflowId(deployment)): Promise<WorkflowHandle> =>
  stage.client.workflow.start('backup', {
    ...{ workflowId, taskQueue: TASK_QUEUE, args: [{ deployment, startedBy: 'ana' }] },
  });
const beginProof = (deployment: string, backup?: string): Promise<WorkflowHandle> =>
  stage.client.workflow.start('verifyBackup', {
    ...{ workflowId: verifyBackupWorkflowId(deployment), taskQueue: TASK_QUEUE },
    args: [{ deployment, ...(backup === undefined ? {} : { backup }) }],
  });
const manifestOf = async (handle: WorkflowHandle): Promise<BackupManifest> => (await handle.result()) as BackupManifest;
const prove = async (deployment: string, backup?: string): Promise<BackupVerdict> =>
  (await (await beginProof(deployment, backup)).result()) as BackupVerdict;
const storeOf = async (deployment: string): Promise<BackupStore> =>
  BackupStore.open(await loadDeployment(deployment, stage.deployments));
const parts = async (): Promise<number> => (await s3.files()).filter((file) => file.includes('.sgwtmp')).length;
const objectsOf = async (deployment: string): Promise<string[]> =>
  (await s3.files()).filter((file) => file.includes(`/${deployment}/`)).map((file) => file.split('/').at(-1) ?? '');

test('two backups at once', async () => {
  await deploy('twice', s3.endpoint);
  const both = await Promise.all([begin('twice'), begin('twice', 'redis/twice/another')]);
  const taken = await Promise.all(both.map(manifestOf));
  expect((await (await storeOf('twice')).ids()).sort()).toEqual(taken.map(({ backup }) => backup).sort());
  for (const { backup, shards } of taken) {
    expect(shards[0]?.keys).toBe(KEYS);
    expect(await prove('twice', backup)).toMatchObject({ backup, result: 'restored' });
  }
}, 480_000);

/** Something happens while a shard is on its way, and what came of it is proven. */
async function midway(name: string, act: () => Promise<void>): Promise<BackupManifest> {
  await using toxiproxy = await Toxiproxy.start();
  const proxy = await toxiproxy.proxy('s3', s3.address);
  await deploy(name, `http://${proxy.address}`);
  const slow = await proxy.poison({ type: 'bandwidth', attributes: { rate: 4000 }, stream: 'upstream' });
  const running = await begin(name);
  await until('a part is in', async () => (await parts()) > 0, 60_000);
  await act();
  await proxy.cure(slow);
  const manifest = await manifestOf(running);
  expect(manifest.shards[0]).toMatchObject({ keys: KEYS, slots: [[0, 16383]] });
  expect(await prove(name)).toMatchObject({ backup: manifest.backup, result: 'restored' });
  expect(await parts()).toBe(0);
  return manifest;
}

test('a replica that is killed in the middle of its snapshot', async () => {
  const [primary, replica] = cluster.nodes;
  if (!primary || !replica) throw new Error('there are no nodes');
  const killed = await midway('killed', () => cluster.kill(replica));
  expect(killed.shards[0]).toMatchObject({ node: primary.address, role: 'primary' });
  await cluster.start(replica);
  await linked(replica);
}, 480_000);

test('a replica that is restarted in the middle of its snapshot', async () => {
  const [, replica] = cluster.nodes;
  if (!replica) throw new Error('there is no replica');
  await midway('restarted', async () => {
    await cluster.ask(replica.address, 'SHUTDOWN', 'NOSAVE').catch(() => undefined);
    await until('it has ended', async () => (await cluster.pids(replica)).length === 0);
    await cluster.start(replica);
  });
  await linked(replica);
}, 480_000);

const linked = (replica: SandboxNode): Promise<void> =>
  until(
    'the replica is back',
    async () => {
      const info = parseInfo(String(await cluster.ask(replica.address, 'INFO', 'replication')));
      return info['master_link_status'] === 'up';
    },
    60_000,
  );

test('a replica that is promoted in the middle of its snapshot', async () => {
  const [, replica] = cluster.nodes;
  await midway('promoted', async () => {
    await cluster.ask(replica?.address, 'CLUSTER', 'FAILOVER');
    await until('it is the primary', async () => {
      const info = parseInfo(String(await cluster.ask(replica?.address, 'INFO', 'replication')));
      return info['role'] === 'master';
    });
  });
}, 480_000);

test('credentials that expire midway hold it up until they are had anew; wrong ones end it, naming their fields', async () => {
  await using between = await StoreBetween.to(s3.endpoint);
  await deploy('expired', between.endpoint);
  let refused = 0;
  between.refuse = (asked, answer) =>
    (asked.url ?? '').includes('partNumber=2') &&
    ++refused > 0 &&
    answerError(answer, 400, 'ExpiredToken', 'The provided token has expired.');
  const running = await begin('expired');
  await until(
    'it is said what has expired',
    async () => (await lastFailure(running)).includes('ExpiredToken: The provided token has expired.'),
    60_000,
  );
  expect(await lastFailure(running)).toContain('(backup.target.accessKeyId and secretAccessKey)');
  expect(refused).toBeGreaterThan(0);
  between.refuse = undefined;
  expect((await manifestOf(running)).shards[0]).toMatchObject({ keys: KEYS });

  await deploy('stranger', s3.endpoint, 'env:ROLLOUT_TEST_BACKUP_KEY');
  const failure = await failureOf((await begin('stranger')).result());
  expect(failure.type).toBe('Unauthorized');
  expect(failure.message).toMatch(/SignatureDoesNotMatch.*\(backup\.target\.accessKeyId and secretAccessKey\)/);
  expect(await objectsOf('stranger')).toEqual([]);
}, 480_000);

test('what comes back damaged is loaded by nobody; and it was only damaged on its way', async () => {
  await using between = await StoreBetween.to(s3.endpoint);
  await deploy('spoilt', between.endpoint);
  const manifest = await manifestOf(await begin('spoilt'));
  const [shard] = manifest.shards;
  let read = 0;
  between.spoil = (object, chunk) => {
    if (!object.includes('.sealed')) return chunk;
    const at = 5_000_000 - read;
    read += chunk.length;
    if (at < 0 || at >= chunk.length) return chunk;
    const turned = Buffer.from(chunk);
    turned[at] = (turned[at] ?? 0) ^ 1;
    return turned;
  };
  const failure = await failureOf((await beginProof('spoilt')).result());
  expect(failure.type).toBe('Damaged');
  expect(failure.message).toContain(shard?.object);
  expect(read).toBeGreaterThan(5_000_000);
  between.spoil = undefined;
  expect(await prove('spoilt')).toMatchObject({ backup: manifest.backup, result: 'restored' });
}, 480_000);

test.runIf(process.platform === 'linux' && process.getuid?.() === 0)(
  'a store that is full holds it up, and is left as it was until there is room',
  async () => {
    await using small = await S3Server.start({ diskBytes: 80 * 1024 * 1024 });
    vi.stubEnv('ROLLOUT_TEST_S3_ID', small.accessKeyId);
    vi.stubEnv('ROLLOUT_TEST_S3_SECRET', small.secretAccessKey);
    await stage.deploy('full', cluster, {
      backup: inBucket(stage, small, await secretsOf(small)),
    });
    const filler = small.file('filler');
    await appendFile(filler, Buffer.alloc(60 * 1024 * 1024));
    const running = await begin('full');
    await until('it is said that there is no room', async () => /full/.test(await lastFailure(running)), 120_000);
    expect((await small.files()).filter((file) => file.includes('/full/'))).toEqual([]);
    await rm(filler);
    expect((await manifestOf(running)).shards[0]).toMatchObject({ keys: KEYS });
    expect(await prove('full')).toMatchObject({ result: 'restored' });
  },
  480_000,
);

test.runIf(process.platform === 'linux' && process.getuid?.() === 0)(
  'a worker without room on its disk says so, and goes on once there is some',
  async () => {
    await deploy('crammed', s3.endpoint);
    await manifestOf(await begin('crammed'));
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'redis-rollout', temporary]);
    try {
      const filler = join(temporary, 'filler');
      await appendFile(filler, Buffer.alloc(64 * 1024));
      const proving = await beginProof('crammed');
      await until('it is said', async () => (await lastFailure(proving)).includes(': the disk is full'), 60_000);
      expect(await lastFailure(proving)).toContain(temporary);
      await rm(filler);
      expect(await proving.result()).toMatchObject({ result: 'restored' });
      expect(await readdir(temporary)).toEqual([]);
    } finally {
      await run('umount', ['--lazy', temporary]);
    }
  },
  480_000,
);

/** In files: the worker has the environment that it was started with. */
async function secretsOf({ accessKeyId, secretAccessKey }: S3Server) {
  const [id, secret] = [join(temporary, 'id'), join(temporary, 'secret')];
  await Promise.all([
    appendFile(id, accessKeyId, { mode: 0o600 }),
    appendFile(secret, secretAccessKey, { mode: 0o600 }),
  ]);
  return { accessKeyId: `file:${id}`, secretAccessKey: `file:${secret}` };
}

test('a worker that dies while a server loads: that ends too, and what it loaded is on no disk and in no history', async () => {
  await using toxiproxy = await Toxiproxy.start();
  const proxy = await toxiproxy.proxy('s3', s3.address);
  await deploy('dying', `http://${proxy.address}`);
  const taken = await begin('dying');
  const manifest = await manifestOf(taken);
  const scratch = async (): Promise<string[]> => (await readdir(temporary)).filter((it) => it.includes('scratch'));
  const expectNowhere = async (): Promise<void> => {
    const folders = [temporary, stage.root];
    const files = (await Promise.all(folders.map(filesBelow))).flat();
    for (const file of [...files, ...(await s3.files())])
      expect((await readFile(file)).includes(PLANTED), `${file} has it`).toBe(false);
  };
  stage.keepWorker();
  const slow = await proxy.poison({ type: 'bandwidth', attributes: { rate: 3000 }, stream: 'downstream' });
  const proving = await beginProof('dying');
  let pids: number[] = [];
  await until(
    'a server loads',
    async () => {
      const logs = (await scratch()).map((it) => join(temporary, it, 'redis.log'));
      const texts = await Promise.all(logs.map((it) => readFile(it, 'utf8').catch(() => '')));
      pids = texts.flatMap((text) => [...text.matchAll(/^(\d+):[A-Z] /gm)].map(([, pid]) => Number(pid)));
      return texts.some((text) => /Server initialized|loaded by/i.test(text));
    },
    60_000,
  );
  await expectNowhere();
  const killed = stage.workerPid;
  process.kill(killed, 'SIGKILL');
  await until('its server has ended', () => pids.every((pid) => !alive(pid)));
  await proxy.cure(slow);
  expect(await proving.result()).toMatchObject({ backup: manifest.backup, result: 'restored' });
  expect(stage.workerPid).not.toBe(killed);
  await expectNowhere();
  for (const handle of [taken, proving]) {
    const text = historyText(await handle.fetchHistory());
    expect(text).toContain(manifest.backup);
    expect(text).not.toContain(PLANTED);
  }
}, 480_000);

const filesBelow = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
