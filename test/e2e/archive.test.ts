// A FLUSHALL by mistake: what was written until then is to be had again, whatever happened to workers and nodes meanwhile.
import { randomBytes } from 'node:crypto';
import { Cluster } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { ArchiveStore } from '../../integrations/archive-store.js';
import { BackupStore } from '../../integrations/backup-store.js';
import { loadDeployment } from '../../integrations/deployment-files.js';
import { windowsOf } from '../../model/recovery.js';
import type { PointVerdict } from '../../model/recovery-point.js';
import { archiveWorkflowId } from '../../model/names.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { S3Server } from '../../scripts/sandbox/s3-server.js';
import type { Stage } from '../../scripts/sandbox/stage.js';
import { rollout as runCli } from '../scripts/rollout/stage/cli.js';
import { usually } from '../thorough.js';
import { inBucket, openBackupStage } from './stage/backups.js';
import { Dataset } from './stage/dataset.js';

let s3: S3Server;
let stage: Stage;
beforeAll(async () => {
  s3 = await S3Server.start();
});
afterAll(() => s3[Symbol.asyncDispose]());
beforeEach(async () => {
  stage = await openBackupStage(s3);
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

async function rollout(...words: string[]): Promise<string> {
  const at = { TEMPORAL_ADDRESS: stage.address, ROLLOUT_DEPLOYMENTS: stage.deployments };
  const { code, stdout, stderr } = await runCli(words, { env: { ...stage.environment, ...at } });
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** Since when until when every shard can be had, the newest first. */
async function windows(): Promise<{ from: number; to: number }[]> {
  const deployment = await loadDeployment('orders', stage.deployments);
  const backups = await (await BackupStore.open(deployment)).manifests();
  return windowsOf(backups, await (await ArchiveStore.open(deployment)).segments());
}
const reaches = (ms: number): Promise<void> =>
  until(
    `every shard can be had at ${new Date(ms).toISOString()}`,
    async () => (await windows()).some(({ from, to }) => from <= ms && ms <= to),
    90_000,
  );

test.each(usually(1, ['7.0', 'valkey-9.1']))(
  '%s: a worker killed, a replica killed, a primary failed over, and FLUSHALL at last',
  async (release) => {
    await using cluster = await Sandbox.cluster({ release, configuration: ['repl-diskless-sync-delay 0'] });
    await stage.deploy('orders', cluster, {
      backup: inBucket(stage, s3, { prefix: randomBytes(4).toString('hex') }),
    });
    const dataset = await Dataset.write(cluster, 200);
    stage.keepWorker();
    const notRunning = /orders is not archived: redis\/orders\/archive does not run/;
    await expect(rollout('archive', 'orders', '--stop')).rejects.toThrow(notRunning);
    expect(await rollout('archive', 'orders', '--as', 'ana')).toContain('Started redis/orders/archive');
    await expect(rollout('archive', 'orders')).rejects.toThrow(/is under way/);
    await until('a backup lies in it', async () => (await windows()).length > 0, 90_000);

    const clients = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
    // Of nodes that are killed it hears, and goes on.
    clients.on('error', () => undefined);
    onTestFinished(() => clients.disconnect());
    const write = async (key: string): Promise<void> => {
      for (let i = 0; i < 60; i++) await clients.set(`${key}:${i}`, String(i));
    };
    await write('first');
    process.kill(stage.workerPid, 'SIGKILL');
    await write('second');
    const replica = cluster.nodes[3];
    if (replica) await cluster.kill(replica);
    await write('third');
    if (replica) await cluster.start(replica);
    await cluster.ask(cluster.nodes[4]?.address, 'CLUSTER', 'FAILOVER');
    await until('it has taken over', async () => ((await cluster.ask(cluster.nodes[4]?.address, 'ROLE')) as string[])[0] === 'master'); // prettier-ignore
    await write('fourth');
    const between = Date.now();
    await reaches(between);
    const caughtUp = Date.now();
    await reaches(caughtUp);
    for (const node of [cluster.nodes[0], cluster.nodes[4], cluster.nodes[2]])
      await cluster.ask(node?.address, 'FLUSHALL');
    await write('afterwards');
    await reaches(Date.now());

    const verified = async (...words: string[]): Promise<PointVerdict> =>
      JSON.parse(await rollout('backup', 'verify', 'orders', '--json', ...words)) as PointVerdict;
    const keys = ({ shards }: PointVerdict): number => shards.reduce((sum, it) => sum + it.keys, 0);
    expect(keys(await verified('--before', 'flushall'))).toBe(200 + 4 * 60);
    expect(keys(await verified('--at', new Date(caughtUp).toISOString()))).toBe(200 + 4 * 60);
    expect(keys(await verified('--at', new Date((await windows())[0]?.to ?? 0).toISOString()))).toBe(60);
    await expect(verified('--at', '2001-01-01T00:00:00Z')).rejects.toThrow(/The nearest that can be had: after it 20/);
    await expect(verified('--before', 'FLUSHALL SYNC NEVER')).rejects.toThrow(/the archive has no such command/);

    const listed = await rollout('backups', 'orders');
    expect(listed).toMatch(
      /Archived without a gap[^]*What can’t be had\n.*\n +0-5460 +20.*nobody archived; what was written[^]*Every moment can be had\n {2}from 20/,
    );
    // Of each backup, whether the gap is after it: the newest may be of after the gap.
    const gapEnds = [...listed.matchAll(/^ +\d+-\d+ +20\S+ +(20\S+) +nobody archived/gm)].map(([, end = '']) => end);
    const had = [...listed.matchAll(/^ {2}from (20\S+) to 20.*(\n {4}but from 20.*when nobody archived)?/gm)];
    expect(had.map(([, , but]) => but !== undefined)).toEqual(
      had.map(([, from = '']) => gapEnds.some((it) => it > from)),
    );
    expect(had.at(-1)?.[2]).toBeDefined();

    // And back it comes, among what was written since.
    const before = ['--before', 'flushall', '--keep'];
    expect(await rollout('restore', 'orders', ...before, '--dry-run')).toMatch(
      /with the archive behind it: the state before the last flushall: 440 keys, of which 440 keys would be written/,
    );
    const said = await rollout('restore', 'orders', ...before, '--yes', 'orders');
    expect(said).toContain('440 keys written');
    expect(said).toContain('Compared: 440 keys as in the backup.');
    for (const name of ['first', 'second', 'third', 'fourth', 'afterwards'])
      for (let i = 0; i < 60; i++) expect(await clients.get(`${name}:${i}`)).toBe(String(i));
    await dataset.expectSame(1000);
    clients.disconnect();
    expect(await rollout('archive', 'orders', '--stop')).toContain('Stopping');
    await until('it has ended', async () => {
      const { status } = await stage.client.workflow.getHandle(archiveWorkflowId('orders')).describe();
      return status.name === 'CANCELLED';
    });
    await expect(rollout('archive', 'orders', '--stop')).rejects.toThrow(notRunning);
  },
  600_000,
);
