import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Cluster } from 'ioredis';
import { stringify } from 'yaml';
import { Sandbox } from '../sandbox/cluster.js';
import { S3Server } from '../sandbox/s3-server.js';
import { endServersIn } from '../sandbox/servers-in.js';
import { SlackServer } from '../sandbox/slack-server.js';
import { startTemporal, type TemporalServer } from '../setup/temporal.js';
import { Chat } from './chat.js';
import { copyIn, deploymentFile, kept, rehearsal, rehearsed, takenBack } from './deployment.js';

export interface Stage {
  cluster: Sandbox;
  temporal: TemporalServer;
  worker: ChildProcess;
  /** What `rollout` needs to find it all. */
  environment: Record<'TEMPORAL_ADDRESS' | 'ROLLOUT_DEPLOYMENTS' | 'ROLLOUT_STATE', string>;
  /** For backups, where there are to be any. */
  store?: S3Server;
  /** Where people are asked, where it is not at the terminal. */
  chat?: Chat;
  stop(): Promise<void>;
}

export interface StageOptions {
  release: string;
  /** Is the upgrade to be taken back? */
  fallback: boolean;
  /** Are there to be backups in a bucket, and an archive? */
  drill: boolean;
  /** Is it to be rehearsed first, and are people asked in chat? */
  full: boolean;
  tell: (line: string) => void;
}

/** A 3+3 cluster with some data, Temporal with its UI, and a worker: each a process of this machine, on loopback only. */
export async function setStage(folder: string, { release, fallback, drill, full, tell }: StageOptions): Promise<Stage> {
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
    const slack = full ? await SlackServer.start() : undefined;
    if (slack) {
      undo.push(() => slack[Symbol.asyncDispose]());
      Object.assign(process.env, secretsForChat(slack));
      // Nodes of a rehearsal that was left in the middle.
      undo.push(() => endServersIn(copyIn(folder)));
    }
    await mkdir(environment.ROLLOUT_DEPLOYMENTS, { recursive: true });
    await writeFile(
      join(environment.ROLLOUT_DEPLOYMENTS, 'orders.yaml'),
      stringify({
        ...deploymentFile(cluster, folder, fallback ? takenBack : full ? rehearsed : { soak: '5s' }),
        ...(store ? kept(store, folder) : {}),
        ...(slack ? rehearsal(folder, slack, temporal.uiUrl) : {}),
      }),
    );
    const worker = await startRollout(['worker'], join(folder, 'worker.log'), environment);
    undo.push(() => ended(worker));
    tell('a worker');
    const stage = { cluster, temporal, worker, environment, ...(store ? { store } : {}), stop };
    if (!slack) return stage;
    const log = join(folder, 'approvals.log');
    const listen = ['--listen', '127.0.0.1:0', '--interval', '500ms'];
    const approvals = await startRollout(['approvals', '--json', ...listen], log, environment);
    undo.push(() => ended(approvals));
    const chat = await Chat.open(slack, { approvals, log, deployments: environment.ROLLOUT_DEPLOYMENTS });
    return { ...stage, chat };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** For the worker, which inherits them, and for the demo itself. */
const secretsFor = ({ accessKeyId, secretAccessKey }: S3Server): Record<string, string> => ({
  DEMO_BACKUP_KEY: randomBytes(32).toString('base64'),
  DEMO_ACCESS_KEY_ID: accessKeyId,
  DEMO_SECRET_ACCESS_KEY: secretAccessKey,
});

const secretsForChat = ({ token, signingSecret }: SlackServer): Record<string, string> => ({
  DEMO_BACKUP_KEY: randomBytes(32).toString('base64'),
  DEMO_SLACK_TOKEN: token,
  DEMO_SLACK_SECRET: signingSecret,
});

async function startRollout(args: string[], file: string, environment: Record<string, string>): Promise<ChildProcess> {
  const log = await open(file, 'a');
  const child = spawn(process.execPath, [fileURLToPath(new URL('../rollout.mjs', import.meta.url)), ...args], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: { ...process.env, ...environment },
  });
  child.unref();
  await log.close();
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const kill = setTimeout(() => child.kill('SIGKILL'), 15_000);
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
