import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { operationId, TASK_QUEUE } from '../../../model/names.js';
import type { ReportData } from '../../../model/report.js';
import type { upgradeShard } from '../../../workflows/upgrade-shard.js';
import { until, type Sandbox, type SandboxNode } from '../../sandbox/cluster.js';
import type { Stage } from '../../sandbox/stage.js';
import { failOver, end, infoOf, linked, serverOf, startByHand } from '../by-hand.js';

/** One way to bring one shard, a primary and a replica, to another release. */
export const methods = {
  safe: 'redis-rollout, `handover: safe`: a whole `upgradeShard` by a worker, from gates and backup to the last comparison',
  fast: 'redis-rollout, `handover: fast`',
  runbook:
    'by hand: replica saved, shut down, started; CLUSTER FAILOVER, role waited for; old primary saved, shut down, started',
  restart: 'as an operator without handover rolls: replica, then primary, by SIGTERM, started again at once',
  cutover:
    'redis-rollout, the way back: upgraded before anybody writes, then `rollout fallback` of the shard to its standby',
} as const;
export type Method = keyof typeof methods;
export const methodNames = Object.keys(methods) as Method[];
/** The ways forward: what is measured where nobody says otherwise. */
export const usualMethods: readonly Method[] = ['safe', 'fast', 'runbook', 'restart'];

export interface Roll {
  cluster: Sandbox;
  primary: SandboxNode;
  replica: SandboxNode;
  to: string;
  /** Of the shard and the deployment, for the methods that have one. */
  shard: string;
  name: string;
}

/** When the primary role was moved, or the primary away, Unix ms. */
export interface Moved {
  from: number;
  until: number;
  /** Why `fast` was not taken. */
  fellBack?: string;
}

/** What comes before anybody writes. */
export async function prepare(method: Method, stage: Stage, { cluster, name, to }: Roll): Promise<void> {
  if (method !== 'cutover') return;
  await stage.deploy(name, cluster, {
    policy: { fallback: 'standby', handover: 'fast', parallelShards: 3, canarySoak: '0s', soak: '1h', settle: '0s' },
  });
  const upgrade = await stage.start(name, to);
  await upgrade.until('it soaks', ({ phase }) => phase === 'soaking', 300_000);
  // Its standbys stay in place.
  await upgrade.tell('abort', { by: 'bench' });
  await upgrade.result();
}

export async function roll(method: Method, stage: Stage, what: Roll): Promise<Moved> {
  switch (method) {
    case 'safe':
    case 'fast':
      return byRollout(method, stage, what);
    case 'cutover':
      return byFallback(stage, what);
    case 'runbook':
      return byRunbook(what);
    case 'restart':
      return byRestart(what);
  }
}

async function byRollout(handover: 'safe' | 'fast', stage: Stage, { cluster, name, shard, to }: Roll): Promise<Moved> {
  // A gate that waits for a busy machine would only make the run longer.
  await stage.deploy(name, cluster, { policy: { handover, canarySoak: '0s', gates: { maxLatency: '1m' } } });
  const outcome = await stage.client.workflow.execute<typeof upgradeShard>('upgradeShard', {
    workflowId: operationId(name),
    taskQueue: TASK_QUEUE,
    args: [{ deployment: name, to, startedBy: 'bench', shard }],
  });
  const [moved] = (await reportOf(outcome)).handovers;
  if (outcome.result !== 'completed' || !moved) throw new Error(`${name} was not upgraded: ${outcome.statement}`);
  const from = Date.parse(moved.at);
  return { from, until: from + moved.ms, ...(moved.fellBack === undefined ? {} : { fellBack: moved.fellBack }) };
}

async function byFallback(stage: Stage, { name, shard }: Roll): Promise<Moved> {
  const fallback = await stage.startFallback(name, { reason: 'bench', shards: [shard] });
  const outcome = await fallback.result();
  const [cutover] = (await reportOf(outcome)).cutovers ?? [];
  if (outcome.result !== 'completed' || !cutover) throw new Error(`${name} was not cut over: ${outcome.statement}`);
  const from = Date.parse(cutover.at);
  return { from, until: from + cutover.gapMs };
}

const reportOf = async ({ report }: { report: string }): Promise<ReportData> =>
  JSON.parse(await readFile(join(dirname(report), 'report.json'), 'utf8')) as ReportData;

async function byRunbook({ cluster, primary, replica, to }: Roll): Promise<Moved> {
  const program = await serverOf(to);
  await end(cluster, replica, 'SAVE');
  await startByHand(replica, program);
  await linked(cluster, replica);
  const from = Date.now();
  await failOver(cluster, replica);
  const moved = { from, until: Date.now() };
  await until(`${primary.address} follows it`, async () => (await infoOf(cluster, primary))['role'] === 'slave');
  await linked(cluster, primary);
  await end(cluster, primary, 'SAVE');
  await startByHand(primary, program);
  await linked(cluster, primary);
  return moved;
}

/** An operator waits until a pod is ready before it goes on; ready is a node that is linked, which most don't ask. */
async function byRestart({ cluster, primary, replica, to }: Roll): Promise<Moved> {
  const program = await serverOf(to);
  await end(cluster, replica, 'SIGTERM');
  await startByHand(replica, program);
  await linked(cluster, replica);
  const from = Date.now();
  await end(cluster, primary, 'SIGTERM');
  await startByHand(primary, program);
  await until('the shard has one primary that serves, and one replica that is linked', async () => {
    const both = await Promise.all([primary, replica].map((node) => infoOf(cluster, node)));
    const serving = both.filter((it) => it['role'] === 'master' && it['cluster_state'] === 'ok');
    return serving.length === 1 && both.some((it) => it['role'] === 'slave' && it['master_link_status'] === 'up');
  });
  // cluster_state is each node's own: clients may meet the other a moment longer.
  await sleep(500);
  return { from, until: Date.now() };
}
