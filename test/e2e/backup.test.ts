// A backup that lacks a shard, that can be read by whoever finds it, or that is none although it is listed.
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { BackupStore } from '../../integrations/backup-store.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { notWhole, totalsOf, type BackupManifest, type BackupVerdict } from '../../model/backup-manifest.js';
import type { DeploymentFile } from '../../model/deployment.js';
import { backupWorkflowId, TASK_QUEUE, verifyBackupWorkflowId } from '../../model/names.js';
import type { BackupActivities } from '../../model/backup-work.js';
import { findServers } from '../../platforms/process/servers.js';
import { parseInfo } from '../../redis/info.js';
import { RdbReader } from '../../redis/rdb/reader.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { historyText } from '../../scripts/sandbox/operation.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import type { WorkerFault } from '../../scripts/sandbox/worker-faults.js';
import { Toxiproxy } from '../../scripts/sandbox/toxiproxy.js';
import { serversVerdict } from '../redis/rdb/servers-verdict.js';
import { encryption, failureOf, inBucket, openBackupStage } from './stage/backups.js';
import { Dataset } from './stage/dataset.js';
import { Load } from './stage/load.js';
import { thoroughly, usually } from '../thorough.js';

const KEY = randomBytes(32).toString('base64');
const CONFIDENTIAL = 'confidential-cart-of-ana';

let s3: S3Server;
let stage: Stage;
/** Of each test its own. */
let prefix: string;
beforeAll(async () => {
  s3 = await S3Server.start();
});
afterAll(() => s3[Symbol.asyncDispose]());
beforeEach(async () => {
  prefix = `redis/${randomBytes(4).toString('hex')}`;
  stage = await openBackupStage(s3, { secrets: { ROLLOUT_TEST_BACKUP_KEY: KEY } });
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

type BackupFile = DeploymentFile['backup'];
const toBucket = (endpoint = s3.endpoint): BackupFile => inBucket(stage, s3, { prefix, endpoint });
const toFolder = (): BackupFile => ({ directory: join(stage.root, 'backups'), encryption });

const begin = (deployment: string) =>
  stage.client.workflow.start('backup', {
    workflowId: backupWorkflowId(deployment),
    taskQueue: TASK_QUEUE,
    args: [{ deployment, startedBy: 'ana' }],
  });
const verify = async (deployment: string, backup?: string): Promise<BackupVerdict> => {
  const handle = await stage.client.workflow.start('verifyBackup', {
    workflowId: verifyBackupWorkflowId(deployment),
    taskQueue: TASK_QUEUE,
    args: [{ deployment, startedBy: 'ana', ...(backup === undefined ? {} : { backup }) }],
  });
  return (await handle.result()) as BackupVerdict;
};
const takeBackup = async (deployment: string): Promise<BackupManifest> =>
  (await (await begin(deployment)).result()) as BackupManifest;
const storeOf = async (deployment: string): Promise<BackupStore> =>
  BackupStore.open(await loadDeployment(deployment, stage.deployments));

/** Every key of a backup, read with the worker's key, and what `redis-check-rdb` says of each shard. */
async function readBack(manifest: BackupManifest, scratch: string): Promise<Map<string, string[]>> {
  const store = await storeOf(manifest.deployment);
  const keys = await store.keys();
  const found = new Map<string, string[]>();
  for (const shard of manifest.shards) {
    const reader = new RdbReader({ keep: () => true });
    const names = new Set<string>();
    const pieces: Buffer[] = [];
    for await (const chunk of store.getShard(manifest.backup, shard, keys)) {
      pieces.push(chunk);
      for (const record of reader.read(chunk)) if (record.kind === 'key') names.add(record.key.toString());
    }
    const { keys: count, expires } = reader.end();
    expect({ count, expires, names: names.size }).toEqual({ count: shard.keys, expires: shard.expires, names: count });
    found.set(shard.shard, [...names]);
    const program = (await findServers()).get(shard.release ?? '') ?? '';
    const folder = join(scratch, `${manifest.deployment}-${shard.shard}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'dump.rdb'), Buffer.concat(pieces));
    const verdict = await serversVerdict(program, join(folder, 'dump.rdb'), folder);
    expect(verdict).toContain('RDB looks OK');
    expect(verdict).toContain(`${count} keys read`);
    expect(verdict).toContain(`${expires} expires`);
  }
  return found;
}

/** Is it nowhere to be read: in no file below these folders, and in no history of the workflow? */
async function expectConfidential(deployment: string, files: readonly string[]): Promise<void> {
  for (const secret of [CONFIDENTIAL, KEY, s3.secretAccessKey]) {
    for (const file of files) expect((await readFile(file)).includes(secret), `${file} has ${secret}`).toBe(false);
    const text = historyText(await stage.client.workflow.getHandle(backupWorkflowId(deployment)).fetchHistory());
    expect(text).toContain('.rdb.gz.sealed');
    expect(text.includes('sealShard')).toBe(true);
    expect(text.includes(secret), `the history has ${secret}`).toBe(false);
  }
}
const filesBelow = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));

test.each(usually(1, ['5.0', 'valkey-9.1', '7.0', '8.0']))(
  '%s: a cluster under writes, into a bucket and into a folder',
  async (release) => {
    await using cluster = await Sandbox.cluster({ release });
    await Dataset.write(cluster, 400);
    await stage.deploy('orders', cluster, { backup: toBucket() });
    await stage.deploy('carts', cluster, { backup: toFolder() });
    await using load = await Load.begin(cluster, CONFIDENTIAL);
    await until('the load is under way', () => Object.values(load.written).every((count) => count > 500));

    for (const deployment of ['orders', 'carts']) {
      const before = { ...load.written };
      const manifest = await takeBackup(deployment);
      const since = { ...load.written };

      expect(notWhole(manifest.shards)).toBeUndefined();
      expect(manifest).toMatchObject({ deployment, startedBy: 'ana' });
      expect(manifest.shards.map(({ role }) => role)).toEqual(['replica', 'replica', 'replica']);
      expect(new Set(manifest.shards.map(({ node }) => node)).size).toBe(3);
      for (const { node, replid, offset, rdb, sealed } of manifest.shards) {
        const info = parseInfo(String(await cluster.ask(node, 'INFO')));
        expect(replid).toBe(info['master_replid']);
        expect(offset).toBeLessThanOrEqual(Number(info['master_repl_offset']));
        expect(offset).toBeGreaterThan(0);
        expect(sealed.bytes).toBeLessThan(rdb.bytes);
      }
      const cuts = manifest.shards.map(({ cutAt }) => Date.parse(cutAt));
      expect(manifest.cutWithinMs).toBe(Math.max(...cuts) - Math.min(...cuts));
      expect(manifest.cutWithinMs).toBeLessThan(Date.parse(manifest.endedAt) - Date.parse(manifest.startedAt));

      const found = await readBack(manifest, join(cluster.root, 'check'));
      const all = [...found.values()].flat();
      expect(all.filter((key) => key.startsWith('shop:'))).toHaveLength(400);
      for (const [shard, keys] of found) {
        const loaded = keys.filter((key) => key.startsWith('load:')).length;
        // A replica may lack what its primary acknowledged a moment ago.
        expect(loaded).toBeGreaterThanOrEqual((before[shard] ?? 0) - 200);
        expect(loaded).toBeLessThanOrEqual((since[shard] ?? 0) + 20);
      }
      expect(totalsOf(manifest).keys).toBe(all.length);
      const store = await storeOf(deployment);
      expect(await store.all()).toEqual([{ manifest }]);

      const verdict = await verify(deployment);
      expect(verdict).toMatchObject({ backup: manifest.backup, result: 'restored' });
      expect(verdict.shards.map(({ shard, keys, restoredBy }) => ({ shard, keys, restoredBy }))).toEqual(
        manifest.shards.map(({ shard, keys, release: restoredBy }) => ({ shard, keys, restoredBy })),
      );
      expect(await store.all()).toEqual([{ manifest, verdict }]);
    }
    const files = [...(await filesBelow(stage.state)), ...(await filesBelow(join(stage.root, 'backups')))];
    await expectConfidential('orders', [...files, ...(await s3.files())]);
    await expectConfidential('carts', files);
  },
  360_000,
);

thoroughly(
  'a worker that dies in the middle of an upload, and before and after each step',
  async () => {
    await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
    await using toxiproxy = await Toxiproxy.start();
    const proxy = await toxiproxy.proxy('s3', s3.address);
    for (let i = 0; i < 60; i++)
      await cluster.ask(cluster.nodes[0]?.address, 'SET', `large:${i}`, randomBytes(500_000).toString('latin1'));
    await stage.deploy('slow', cluster, { backup: toBucket(`http://${proxy.address}`) });
    const kills = (...activities: (keyof BackupActivities)[]): WorkerFault[] =>
      activities.flatMap((activity) =>
        (['before', 'after'] as const).map((when) => ({ activity, when, kind: 'kill' })),
      );
    await stage.faults.draw(...kills('beginBackup', 'sealShard', 'endBackup'));
    const slow = await proxy.poison({ type: 'bandwidth', attributes: { rate: 8000 }, stream: 'upstream' });
    stage.keepWorker();
    const running = await begin('slow');
    const parts = async (): Promise<number> => (await s3.files()).filter((file) => /\.sgwtmp/.test(file)).length;
    await until('a part is in', async () => (await parts()) > 0, 60_000);
    const killed = stage.workerPid;
    process.kill(killed, 'SIGKILL');
    await proxy.cure(slow);

    const manifest = (await running.result()) as BackupManifest;

    expect(await stage.faults.unfired()).toEqual([]);
    expect(stage.workerPid).not.toBe(killed);
    expect(manifest.shards.map(({ keys }) => keys)).toEqual([60]);
    expect((await readBack(manifest, join(cluster.root, 'check'))).get('shard-1')).toHaveLength(60);
    expect(await parts()).toBe(0);
    const objects = (await s3.files()).filter((file) => file.includes('/slow/')).map((file) => file.split('/').at(-1));
    expect(objects.sort()).toEqual(['manifest.json', 'shard-1.rdb.gz.sealed']);

    await stage.faults.draw(...kills('readBackup', 'proveShard', 'recordVerdict'));
    expect(await verify('slow')).toMatchObject({ result: 'restored', shards: [{ keys: 60 }] });
    expect(await stage.faults.unfired()).toEqual([]);
  },
  960_000,
);

test('what is wrong is said at once, and nothing is left that looks like a backup', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', primaries: 1 });
  await stage.deploy('plain', cluster, { backup: { directory: join(stage.root, 'backups') } });
  expect(await failureOf(takeBackup('plain'))).toMatchObject({
    type: 'BadDeploymentFile',
    message: expect.stringContaining('backup.encryption is missing') as string,
  });

  await stage.deploy('strangers', cluster, {
    backup: {
      ...toBucket(),
      target: { ...toBucket().target, secretAccessKey: 'env:ROLLOUT_TEST_OTHER_KEY' } as BackupFile['target'],
    },
  });
  expect(await failureOf(takeBackup('strangers'))).toMatchObject({
    type: 'Unauthorized',
    message: expect.stringContaining('SignatureDoesNotMatch') as string,
  });

  // A slot that nobody serves: whose keys are in no snapshot.
  await stage.deploy('moving', cluster, { backup: toFolder() });
  await cluster.ask(cluster.nodes[0]?.address, 'CLUSTER', 'DELSLOTS', 7);
  expect(await failureOf(takeBackup('moving'))).toMatchObject({
    type: 'Degraded',
    message: expect.stringContaining('1 of 16384 slots are missing') as string,
  });
  for (const deployment of ['plain', 'moving']) expect(await (await storeOf(deployment)).ids()).toEqual([]);
}, 240_000);

test('a bit that was turned, and an object that was cut, swapped or taken away, are refused by name', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0' });
  await Dataset.write(cluster, 100);
  await stage.deploy('orders', cluster, { backup: toBucket() });
  const [first, manifest] = [await takeBackup('orders'), await takeBackup('orders')];
  const store = await storeOf('orders');
  const keys = await store.keys();
  const [one, two] = manifest.shards;
  if (!one || !two) throw new Error('there are no shards');
  const file = s3.file(`${prefix}/${one.object}`);
  const whole = await readFile(file);
  const read = async (): Promise<string> => {
    const hash = createHash('sha256');
    for await (const chunk of store.getShard(manifest.backup, one, keys)) hash.update(chunk);
    return hash.digest('hex');
  };
  const refused = async (bytes: Buffer): Promise<void> => {
    await writeFile(file, bytes);
    await expect(read()).rejects.toMatchObject({ type: 'Damaged' });
    await expect(read()).rejects.toThrow(one.object);
  };
  expect(await read()).toBe(one.rdb.sha256);
  const turned = Buffer.from(whole);
  turned[1000] = (turned[1000] ?? 0) ^ 4;
  await refused(turned);
  await refused(whole.subarray(0, -1));
  await refused(Buffer.concat([whole, Buffer.from('x')]));
  await refused(await readFile(s3.file(`${prefix}/${two.object}`)));
  await refused(await readFile(s3.file(`${prefix}/${first.shards[0]?.object ?? ''}`)));
  await rm(file);
  await expect(read()).rejects.toThrow(`${one.object}: it is missing in s3://${s3.bucket}/${prefix}`);

  // Whoever wants to prove it hears the name, and so does whoever lists it.
  expect(await failureOf(verify('orders'))).toMatchObject({
    type: 'Damaged',
    message: expect.stringContaining(`${one.object}: it is missing`) as string,
  });
  const states = async () => (await store.all()).map((entry) => ('manifest' in entry ? entry.verdict?.result : 'none'));
  expect(await states()).toEqual(['damaged', undefined]);
  await writeFile(file, whole);
  expect(await read()).toBe(one.rdb.sha256);
  expect(await verify('orders')).toMatchObject({ backup: manifest.backup, result: 'restored' });
  expect(await verify('orders', first.backup)).toMatchObject({ backup: first.backup, result: 'restored' });
  expect(await states()).toEqual(['restored', 'restored']);
  expect(await failureOf(verify('orders', '20200101T000000Z-00000000'))).toMatchObject({ type: 'BadInput' });

  const { target } = toBucket();
  const another = { key: 'env:ROLLOUT_TEST_OTHER_KEY' };
  await stage.deploy('orders', cluster, { backup: { ...toBucket(), encryption: another } });
  expect(await failureOf(verify('orders'))).toMatchObject({
    type: 'Unauthorized',
    message: expect.stringContaining(`was sealed with key ${one.key}`) as string,
  });
  const rotated = { ...another, olderKeys: [encryption.key] };
  await stage.deploy('orders', cluster, { backup: { directory: stage.root, target, encryption: rotated } });
  expect(await verify('orders')).toMatchObject({ result: 'restored' });

  const named = s3.file(`${prefix}/orders/${manifest.backup}/manifest.json`);
  const text = await readFile(named, 'utf8');
  await writeFile(named, text.replace(`"keys": ${one.keys}`, `"keys": ${one.keys + 1}`));
  await expect(store.manifest(manifest.backup)).rejects.toThrow(
    `orders/${manifest.backup}/manifest.json: it is not as`,
  );
  await writeFile(named, await readFile(s3.file(`${prefix}/orders/${first.backup}/manifest.json`)));
  await expect(store.manifest(manifest.backup)).rejects.toThrow(`it is the manifest of orders ${first.backup}`);
}, 240_000);

test('rollout backup, backups and backup verify, as a person uses them; a server that serves another value is found', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  await Dataset.write(cluster, 99);
  await cluster.ask(cluster.nodes[0]?.address, 'SET', 'price', 'of-19-euro');
  await stage.deploy('orders', cluster, { backup: toFolder() });
  const environment = { ...process.env, TEMPORAL_ADDRESS: stage.address, ROLLOUT_DEPLOYMENTS: stage.deployments };
  const rollout = async (...words: string[]): Promise<string> => {
    const program = join(import.meta.dirname, '..', '..', 'scripts', 'rollout.mjs');
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...words], { env: environment });
    return stdout.trim();
  };
  expect(await rollout('backups', 'orders')).toContain('No backups of orders in');

  const manifest = JSON.parse(await rollout('backup', 'orders', '--as', 'ana', '--json')) as BackupManifest;
  expect(manifest).toMatchObject({ deployment: 'orders', startedBy: 'ana', shards: [{ keys: 100 }] });
  expect(await rollout('backups', 'orders')).toMatch(new RegExp(`${manifest.backup} .* 100 .*unproven`));
  expect(await rollout('backup', 'verify', 'orders')).toBe(
    `Backup ${manifest.backup} of orders is proven: 100 keys of 1 shard, each loaded by a server of its release; 100 values and expiries compared with the backup, 0 different.`,
  );
  expect(await rollout('backups', 'orders')).toMatch(/proven,\s+all\s+values/);
  const listed = JSON.parse(await rollout('backups', 'orders', '--json')) as { backups: object[] };
  const compared = { keys: 100, values: 100 };
  expect(listed.backups).toMatchObject([
    { backup: manifest.backup, state: 'proven', encrypted: true, keys: 100, compared },
  ]);

  const [release, program] = [...(await findServers())].find(([it]) => it.startsWith('7.0.')) ?? ['', ''];
  const altering = join(stage.root, 'altering-server');
  await writeFile(altering, alteringServer(program, ['of-19-euro', 'of-91-euro']), { mode: 0o700 });
  await stage.deploy('orders', cluster, {
    ...{ backup: toFolder(), platform: { kind: 'process', servers: { [release]: altering } } },
  });
  expect(await failureOf(verify('orders'))).toMatchObject({
    type: 'Damaged',
    message: expect.stringContaining(
      `${release} serves 1 keys otherwise than they are in it, lacks 0, and has 0 others: price has another value`,
    ) as string,
  });
  expect(await rollout('backups', 'orders')).toMatch(/damaged:[^]*price\s+has\s+another\s+value/);
}, 360_000);

/** What it loads is other than what it is given, in one value of the same length: it parses, and every key is there. */
const alteringServer = (program: string, [from, to]: [string, string]): string => `#!/bin/sh
folder=$(sed -n 's/^dir "\\(.*\\)"$/\\1/p' "$1")
mkfifo "$folder/altered.rdb"
LC_ALL=C sed 's/${from}/${to}/' < "$folder/dump.rdb" > "$folder/altered.rdb" &
exec ${program} "$1" --dbfilename altered.rdb --rdbchecksum no
`;
