import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { at, connect, type Endpoint, type NodeConnection } from '../../../redis/connection.js';
import { writeRecord } from '../../../redis/follow/record.js';
import { parseInfo } from '../../../redis/info.js';
import { followKey } from '../../../redis/standby/point.js';
import { Sandbox } from '../../sandbox/cluster.js';
import { holding } from '../bench.js';
import { write } from './load.js';
import { follower, replica, type Subject } from './subject.js';
import { underLoad, type UnderLoad } from './under-load.js';
import type { WorkloadName } from './workloads.js';

/** How fast it takes in what has piled up. */
export interface CatchUpRow {
  subject: Subject['name'];
  workload: WorkloadName;
  commands: number;
  megabytes: number;
  ms: number;
  perSecond: number;
  megabytesPerSecond: number;
}

/** How far it is behind while writes come at a rate. */
export interface LagRow extends UnderLoad {
  subject: Subject['name'];
  workload: WorkloadName;
  asked: number;
}

export interface FollowSummary {
  catchUp: CatchUpRow[];
  lag: LagRow[];
  followerPeakMb: number;
}

export interface FollowBenchInput {
  from: string;
  to: string;
  workloads: readonly WorkloadName[];
  commands: number;
  rates: readonly number[];
  seconds: number;
  tell: (line: string) => void;
}

/** A stream is followed from where the backlog reaches; and a native replica that stands still is not to be dropped. */
const primaryConfiguration = [
  'save ""',
  'repl-backlog-size 2gb',
  'repl-diskless-sync-delay 0',
  'client-output-buffer-limit replica 0 0 0',
];

/** A primary of the newer release, a native replica of it, and a standby of the older release with our follower. */
export async function measure(input: FollowBenchInput, summary: FollowSummary): Promise<void> {
  const { from, to, tell } = input;
  await using newer = await holding(() => Sandbox.servers(2, { release: from, configuration: primaryConfiguration }));
  await using older = await holding(() => Sandbox.servers(1, { release: to, configuration: ['save ""'] }));
  const [primaryNode, replicaNode] = newer.resource.nodes;
  const [standbyNode] = older.resource.nodes;
  if (!primaryNode || !replicaNode || !standbyNode) throw new Error('three servers were started');
  const endpoint: Endpoint = { host: '127.0.0.1', port: 0 };
  const [primary, standby] = [at(endpoint, primaryNode.address), at(endpoint, standbyNode.address)];
  await using primaryConnection = await connect(primary, { timeoutMs: 60_000 });
  await using replicaConnection = await connect(at(endpoint, replicaNode.address), { timeoutMs: 60_000 });
  await using standbyConnection = await connect(standby, { timeoutMs: 60_000 });
  await replicaConnection.call('REPLICAOF', '127.0.0.1', primaryNode.port);
  await linked(replicaConnection);
  const record = followKey([]);
  const { replid, offset } = await positionOf(primaryConnection);
  await writeRecord(standbyConnection, { record, cluster: false, point: { replid, offset } });
  const pid = Number((await readFile(join(replicaNode.home, 'redis.pid'), 'utf8')).trim());
  await using ours = follower({ primary, standby, standbyConnection, record, source: from, target: to });
  await using native = replica(replicaConnection, pid);

  let from0 = 0;
  for (const workload of input.workloads) {
    const commands = workload === 'large' ? Math.ceil(input.commands / 20) : input.commands;
    for (const subject of [native, ours]) {
      await native.stop();
      const before = (await positionOf(primaryConnection)).offset;
      await write({ primary, workload, from: from0, commands });
      from0 += commands;
      if (subject === ours) await native.start();
      if (subject === ours) await caughtUp(native, await end(primaryConnection));
      const until = await end(primaryConnection);
      await subject.prepare();
      const begun = performance.now();
      await subject.start();
      await caughtUp(subject, until);
      const ms = performance.now() - begun;
      const megabytes = (until - before) / 1e6;
      const row = {
        ...{ subject: subject.name, workload, commands, megabytes: round(megabytes), ms: Math.round(ms) },
        perSecond: Math.round((commands / ms) * 1000),
        megabytesPerSecond: round((megabytes / ms) * 1000),
      };
      summary.catchUp.push(row);
      tell(`${workload}: ${subject.name} took in ${commands.toLocaleString('en')} commands in ${row.ms} ms`);
      if (subject === native) {
        // The follower has it to take in as well before its own turn.
        await follows(ours, until);
      }
      await ours.stop();
    }
  }
  for (const asked of input.rates)
    for (const subject of [native, ours]) {
      await native.start();
      if (subject === ours) await follows(ours, await end(primaryConnection));
      const load = {
        primary,
        workload: 'small' as const,
        from: from0,
        commands: asked * input.seconds,
        perSecond: asked,
      };
      const row = await underLoad({ subject, primaryOffset: () => end(primaryConnection), load });
      from0 += load.commands;
      summary.lag.push({ subject: subject.name, workload: load.workload, asked, ...row });
      tell(`${asked.toLocaleString('en')} writes/s: ${subject.name} ${row.lagMs.median} ms behind in the median`);
      await caughtUp(native, await end(primaryConnection));
      if (subject === native) await follows(ours, await end(primaryConnection));
      await ours.stop();
    }
  summary.followerPeakMb = Math.round((ours.peakBytes() ?? 0) / 1e6);
}

const CATCHES_UP_WITHIN_MS = 600_000;

async function caughtUp(subject: Subject, until: number): Promise<void> {
  const deadline = performance.now() + CATCHES_UP_WITHIN_MS;
  while ((await subject.offset()) < until) {
    if (performance.now() > deadline) throw new Error(`the ${subject.name} is not at ${until} after ten minutes`);
    await sleep(1);
  }
}

/** Goes on, and takes in all that there is. */
async function follows(subject: Subject, until: number): Promise<void> {
  await subject.prepare();
  await subject.start();
  await caughtUp(subject, until);
}

async function linked(connection: NodeConnection): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (parseInfo(String(await connection.call('INFO', 'replication')))['master_link_status'] !== 'up') {
    if (performance.now() > deadline) throw new Error(`${connection.address} has no link after 30 s`);
    await sleep(50);
  }
}

async function positionOf(primary: NodeConnection): Promise<{ replid: string; offset: number }> {
  const info = parseInfo(String(await primary.call('INFO', 'replication')));
  return { replid: info['master_replid'] ?? '', offset: Number(info['master_repl_offset']) };
}

const end = async (primary: NodeConnection): Promise<number> => (await positionOf(primary)).offset;
const round = (value: number): number => Math.round(value * 10) / 10;
