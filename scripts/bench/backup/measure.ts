import { fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { access, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programOf } from '../../../launch/program.mjs';
import { backupId } from '../../../model/backup-manifest.js';
import { deploymentSchema, type DeploymentFile } from '../../../model/deployment.js';
import { at } from '../../../redis/connection.js';
import { Sandbox } from '../../sandbox/cluster.js';
import { peakRssBytes } from '../../sandbox/peak-memory.js';
import { S3Server } from '../../sandbox/s3-server.js';
import { onPath } from '../../setup/search-path.js';
import { holding } from '../bench.js';
import { serverOf } from '../by-hand.js';
import type { BackupDone, BackupInput } from './backup-process.js';
import { fillCompressible } from './values.js';

export interface BackupRow {
  gigabytes: number;
  who: 'rollout' | 'pipe';
  keys: number;
  /** Of the snapshot, and of what lies in the bucket. */
  rdbBytes: number;
  storedBytes: number;
  ms: number;
  /** Of the snapshot, a second. */
  megabytesPerSecond: number;
  /** Of the process that takes it; of a pipe it is not measured. */
  peakMb?: number;
}

const MB = 1024 ** 2;
const backupProcess = fileURLToPath(new URL('./backup-process.ts', import.meta.url));
const uploadProcess = fileURLToPath(new URL('./upload-process.ts', import.meta.url));
const secrets = { accessKeyId: 'env:BENCH_S3_ID', secretAccessKey: 'env:BENCH_S3_SECRET' };

/** One shard with so much on it, backed up from its replica by both, in turns. */
export async function measure(
  { release, gigabytes, runs }: { release: string; gigabytes: number; runs: number },
  tell: (line: string) => void,
): Promise<BackupRow[]> {
  await using held = await holding(() => Sandbox.cluster({ release, primaries: 1 }));
  await using store = await holding(() => S3Server.start());
  const [cluster, s3] = [held.resource, store.resource];
  const [, replica] = cluster.nodes;
  if (!replica) throw new Error('there is no replica');
  tell(`${gigabytes} GB: filling`);
  const keys = await fillCompressible(cluster, gigabytes * 1e9);
  const key = join(cluster.root, 'backup.key');
  await writeFile(key, randomBytes(32).toString('hex'), { mode: 0o600 });
  const deployment: DeploymentFile = {
    ...{ name: 'bench', topology: 'cluster', seeds: [replica.address], platform: { kind: 'process' } },
    backup: {
      directory: cluster.root,
      encryption: { key: `file:${key}` },
      target: { kind: 's3', bucket: s3.bucket, endpoint: s3.endpoint, ...secrets },
    },
  };
  const env = { ...process.env, BENCH_S3_ID: s3.accessKeyId, BENCH_S3_SECRET: s3.secretAccessKey };
  const subject: Subject = { cluster, address: replica.address, release, deployment, env, key };
  const rows: BackupRow[] = [];
  for (let run = 1; run <= runs; run++) {
    const ours = await rollout(subject);
    rows.push({ gigabytes, who: 'rollout', keys, ...ours });
    tell(`${gigabytes} GB: rollout ${ours.megabytesPerSecond} MB/s, ${ours.peakMb} MB at most`);
    const theirs = await pipe(subject);
    rows.push({ gigabytes, who: 'pipe', keys, rdbBytes: ours.rdbBytes, ...rateOf(theirs, ours.rdbBytes) });
    tell(`${gigabytes} GB: pipe ${rateOf(theirs, ours.rdbBytes).megabytesPerSecond} MB/s`);
  }
  return rows;
}

interface Subject {
  cluster: Sandbox;
  address: string;
  release: string;
  deployment: DeploymentFile;
  env: NodeJS.ProcessEnv;
  key: string;
}
type Taken = Pick<BackupRow, 'storedBytes' | 'ms'>;

const rateOf = (taken: Taken, rdbBytes: number): Taken & Pick<BackupRow, 'megabytesPerSecond'> => ({
  ...taken,
  megabytesPerSecond: Math.round((rdbBytes / MB / taken.ms) * 10_000) / 10,
});

async function rollout({ cluster, address, deployment, env }: Subject) {
  const input: BackupInput = {
    from: at(cluster.endpoint(), address),
    deployment,
    backup: backupId(new Date().toISOString(), randomBytes(4).toString('hex')),
  };
  const { file, execArgv } = await programOf(backupProcess);
  const running = fork(file, [JSON.stringify(input)], {
    execArgv,
    // As a worker is started (scripts/bootstrap.mjs).
    env: { MALLOC_ARENA_MAX: '1', ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const said = async (): Promise<unknown> => {
    const [first] = (await Promise.race([once(running, 'message'), once(running, 'exit')])) as [unknown];
    if (typeof first === 'number' || first === null) throw new Error(`the backup ended with ${String(first)}`);
    return first;
  };
  await said();
  const begun = performance.now();
  running.send('go');
  const { rdbBytes, sealedBytes } = (await said()) as BackupDone;
  const ms = Math.round(performance.now() - begun);
  const peakMb = Math.round(peakRssBytes(running.pid ?? 0) / MB);
  const gone = once(running, 'exit');
  running.send('end');
  await gone;
  return { rdbBytes, peakMb, ...rateOf({ storedBytes: sealedBytes, ms }, rdbBytes) };
}

/** What people do: the same compression, a cipher without authentication, the same multipart upload. */
async function pipe({ address, release, deployment, env, key }: Subject): Promise<Taken> {
  const [host = '', port = ''] = address.split(':');
  const { file, execArgv } = await programOf(uploadProcess);
  const place = deploymentSchema.parse(deployment).backup;
  const upload = [process.execPath, ...execArgv, file, JSON.stringify({ place, object: 'pipe/dump.rdb.gz.enc' })];
  const steps = [
    [await redisCli(release), '-h', host, '-p', port, '--rdb', '-'],
    ['gzip', '-1'],
    ['openssl', 'enc', '-aes-256-ctr', '-pbkdf2', '-pass', `file:${key}`],
    upload,
  ];
  const line = steps.map((words) => words.map(quoted).join(' ')).join(' | ');
  const begun = performance.now();
  const running = spawn('bash', ['-c', `set -o pipefail; ${line}`], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  running.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  running.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  const [code] = (await once(running, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the pipe ended with ${code}: ${Buffer.concat(err).toString().trim().slice(-500)}`);
  return { storedBytes: Number(Buffer.concat(out).toString()), ms: Math.round(performance.now() - begun) };
}

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** Beside the server, or on PATH. */
async function redisCli(release: string): Promise<string> {
  const beside = join(dirname(await serverOf(release)), 'redis-cli');
  const found = await access(beside).then(
    () => beside,
    () => undefined,
  );
  const [cli] = found === undefined ? await onPath('redis-cli', 'valkey-cli') : [found];
  if (cli === undefined) throw new Error(`there is no redis-cli beside the server of ${release}, and none on PATH`);
  return cli;
}
