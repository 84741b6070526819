import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Cluster } from 'ioredis';
import { stringify } from 'yaml';
import type { DeploymentFile } from '../../model/deployment.js';
import { Sandbox } from '../sandbox/cluster.js';
import { S3Server } from '../sandbox/s3-server.js';
import { startTemporal, type TemporalServer } from '../setup/temporal.js';

/** Who may answer which question in the demo. */
export const people = { engineering: 'ana', operations: 'ben', product: 'cleo' } as const;

export interface Stage {
  cluster: Sandbox;
  temporal: TemporalServer;
  worker: ChildProcess;
  /** What `rollout` needs to find it all. */
  environment: Record<'TEMPORAL_ADDRESS' | 'ROLLOUT_DEPLOYMENTS' | 'ROLLOUT_STATE', string>;
  /** For backups, where there are to be any. */
  store?: S3Server;
  stop(): Promise<void>;
}

export interface StageOptions {
  release: string;
  /** Is the upgrade to be taken back? */
  fallback: boolean;
  /** Are there to be backups in a bucket, and an archive? */
  drill: boolean;
  tell: (line: string) => void;
}

/** A 3+3 cluster with some data, Temporal with its UI, and a worker: each a process of this machine, on loopback only. */
export async function setStage(folder: string, { release, fallback, drill, tell }: StageOptions): Promise<Stage> {
  const undo: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    tell(`a 3+3 cluster of Redis ${release}`);
    const cluster = await Sandbox.cluster({ release });
    undo.push(() => cluster.stop());
    const keys = await fill(cluster);
    tell(`${keys.toLocaleString('en')} keys of all types, a third of them with an expiry`);

    const temporal = await startTemporal({ ui: true, detached: true });
    undo.push(() => temporal.stop());
    tell(`Temporal at ${temporal.address}, its UI at ${temporal.uiUrl ?? '?'}`);

    const environment = {
      TEMPORAL_ADDRESS: temporal.address,
      ROLLOUT_DEPLOYMENTS: join(folder, 'deployments'),
      ROLLOUT_STATE: join(folder, 'state'),
    };
    const store = drill ? await S3Server.start() : undefined;
    if (store) {
      undo.push(() => store[Symbol.asyncDispose]());
      tell(`an S3 server at ${store.endpoint}`);
      Object.assign(process.env, secretsFor(store));
    }
    await mkdir(environment.ROLLOUT_DEPLOYMENTS, { recursive: true });
    await writeFile(
      join(environment.ROLLOUT_DEPLOYMENTS, 'orders.yaml'),
      stringify({ ...deployment(cluster, folder, fallback), ...(store ? kept(store, folder) : {}) }),
    );
    const worker = await startWorker(folder, environment);
    undo.push(() => ended(worker));
    tell('a worker');
    return { cluster, temporal, worker, environment, ...(store ? { store } : {}), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Soaks are seconds here, and days in earnest. */
function deployment(cluster: Sandbox, folder: string, fallback: boolean): DeploymentFile {
  return {
    name: 'orders',
    topology: 'cluster',
    seeds: cluster.nodes.map((node) => node.address),
    platform: { kind: 'process' },
    backup: { directory: join(folder, 'backups') },
    policy: {
      canarySoak: '3s',
      // A laptop that has other things to do is no worse release.
      validation: { measure: '5s', leastLatency: '500ms', commandTime: 20 },
      // What is taken back is so during its soak, which must not end before.
      ...(fallback ? { fallback: 'standby', soak: '1h', parallelShards: 3 } : { soak: '5s' }),
      // The handover's own pause is in the window of the next gate, and a laptop has other things to do.
      gates: { maxLatency: '1s' },
      roles: Object.fromEntries(Object.entries(people).map(([role, person]) => [role, [person]])),
      approvals: { handover: { roles: ['engineering', 'operations'] }, finalize: { roles: ['product'] } },
    },
  };
}

/** For the worker, which inherits them, and for the demo itself. */
const secretsFor = ({ accessKeyId, secretAccessKey }: S3Server): Record<string, string> => ({
  DEMO_BACKUP_KEY: randomBytes(32).toString('base64'),
  DEMO_ACCESS_KEY_ID: accessKeyId,
  DEMO_SECRET_ACCESS_KEY: secretAccessKey,
});

const kept = ({ bucket, endpoint }: S3Server, folder: string): Pick<DeploymentFile, 'backup' | 'drill'> => ({
  backup: {
    directory: join(folder, 'backups'),
    encryption: { key: 'env:DEMO_BACKUP_KEY' },
    target: {
      ...{ kind: 's3', bucket, endpoint },
      ...{ accessKeyId: 'env:DEMO_ACCESS_KEY_ID', secretAccessKey: 'env:DEMO_SECRET_ACCESS_KEY' },
    },
  },
  drill: { objectives: { recoveryTime: '5m', recoveryPoint: '15m' }, nodeTimeout: '2s' },
});

async function startWorker(folder: string, environment: Record<string, string>): Promise<ChildProcess> {
  const log = await open(join(folder, 'worker.log'), 'a');
  const worker = spawn(process.execPath, [fileURLToPath(new URL('../rollout.mjs', import.meta.url)), 'worker'], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: { ...process.env, ...environment },
  });
  worker.unref();
  await log.close();
  return worker;
}

async function ended(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.kill('SIGTERM');
  const kill = setTimeout(() => worker.kill('SIGKILL'), 15_000);
  await gone;
  clearTimeout(kill);
}

/** Data of every type, so that the verification has something to compare. */
async function fill(sandbox: Sandbox): Promise<number> {
  const client = new Cluster(
    sandbox.nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
    { redisOptions: { protocol: 2 } },
  );
  try {
    const rounds = 3000;
    for (let from = 0; from < rounds; from += 500)
      await Promise.all(
        Array.from({ length: 500 }, (_, n) => from + n).flatMap((i) => [
          client.set(`order:${i}`, `{"id":${i},"total":${(i * 37) % 500}}`),
          client.set(`session:${i}`, `token-${i}`, 'EX', 86_400),
          client.set(`cart:${i}`, 'x'.repeat(500), 'EX', 3600),
          client.hset(`customer:${i}`, { name: `customer ${i}`, visits: i % 9 }),
          client.rpush(`queue:${i}`, `job ${i}`, `job ${i + 1}`),
          client.zadd(`ranking:${i}`, i, `player ${i}`),
          client.sadd(`tags:${i}`, 'a', 'b', `tag ${i}`),
          client.xadd(`events:${i}`, '*', 'kind', 'created', 'order', String(i)),
        ]),
      );
    return rounds * 8;
  } finally {
    client.disconnect();
  }
}
