import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { checksOf, type CheckResult } from '../model/checks.js';
import { formatDuration } from '../model/duration.js';
import { RolloutError } from '../model/failures.js';
import type { StagingStep } from '../model/staging.js';
import type { StagingCheck } from '../model/staging-policy.js';
import type { StagingActivities } from '../model/staging-work.js';
import type { ShardView } from '../model/topology.js';
import { at, type NodeConnection } from '../redis/connection.js';
import { tagsFor } from '../redis/probe/slot.js';
import { openSnapshot } from '../redis/snapshot.js';
import { readTopology } from '../redis/topology.js';
import { verifyReplica } from '../redis/verify/verify-replica.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { runCheck, runContainerCheck } from './run-check.js';
import { loadIntoScratch } from './scratch-server.js';
import { serverFor } from './server-for.js';
import { copyContext } from './staging-copy.js';
import { differenceOf } from './verify.js';

type Tried = Pick<StagingStep, 'result' | 'found'>;

const EXPIRES_MS = 300;
/** A replica waits for its primary's word, which comes with its cycle of expiry. */
const GONE_WITHIN_MS = 10_000;
/** Of what an application answers, the end goes into the record. */
const KEPT = 200;

/** What a copy is put to, beside its upgrade. */
export function copyTrials(dependencies: Dependencies): Pick<StagingActivities, 'tryCopy' | 'checkCopy'> {
  return {
    tryCopy: (input) =>
      heartbeating(async (progress) => {
        const context = await copyContext(dependencies, input);
        const { shards } = await readTopology(context.endpoint, context.deployment.seeds);
        const steps: StagingStep[] = [];
        for (const [name, act] of [
          ['replication', () => replicates(context, shards, progress)],
          ['persistence', () => survivesItsSnapshot(context, shards)],
          ['expiry', () => expires(context, shards)],
        ] as const) {
          progress(name);
          steps.push(await step(name, act));
        }
        return steps;
      }),

    checkCopy: (input) =>
      heartbeating(async () => {
        const { deployment } = await contextFor(dependencies, input);
        const context = await copyContext(dependencies, input);
        const command = checksOf(deployment.checks, 'staging').find(({ name }) => name === input.check);
        const check = command ?? deployment.staging.checks.find(({ name }) => name === input.check);
        if (!check) throw new RolloutError('BadInput', `checks and staging.checks have no ${input.check} any more`);
        const nodes = context.deployment.seeds;
        const { endpoint, signal } = context;
        if (!('kind' in check)) return stepOf(await runCheck(check, { endpoint, nodes, signal }));
        if (check.kind === 'http') return request(check, { nodes, signal });
        const container = { ...check, name: containerName(input.operation, check.name) };
        return stepOf(await runContainerCheck(check.name, container, { endpoint, nodes, signal }));
      }),
  };
}

async function step(name: string, act: () => Promise<Tried>): Promise<StagingStep> {
  const begun = performance.now();
  const { result, found } = await act();
  return { name, result, tookMs: Math.round(performance.now() - begun), found };
}

/** Every key of each replica against its primary. */
async function replicates(
  { endpoint, deployment, signal }: Context,
  shards: readonly ShardView[],
  progress: (details: unknown) => void,
): Promise<Tried> {
  const ttlToleranceMs = deployment.policy.ttlTolerance;
  let [keys, compared] = [0, 0];
  for (const { name, primary, replicas } of shards)
    for (const replica of replicas) {
      const result = await verifyReplica({
        ...{ shard: name, primary: at(endpoint, primary.address), replica: at(endpoint, replica.address) },
        ...{ mode: 'all', ttlToleranceMs, onProgress: progress, signal },
      });
      const told = differenceOf(result, primary.address, replica.address);
      if (told !== undefined) return { result: 'failed', found: `${name}: ${told}` };
      keys += result.keys;
      compared++;
    }
  return {
    result: 'passed',
    found: `${keys.toLocaleString('en')} keys of ${compared} replicas, each as its primary’s`,
  };
}

/** Every primary makes a snapshot, and another server of its release makes the same of it. */
async function survivesItsSnapshot(
  { endpoint, deployment, signal }: Context,
  shards: readonly ShardView[],
): Promise<Tried> {
  let keys = 0;
  for (const { name, primary } of shards) {
    const server = await serverFor(primary.release, deployment.platform.servers);
    if (!server) return { result: 'skipped', found: `no server of ${primary.release} is at hand` };
    await using snapshot = await openSnapshot({ from: at(endpoint, primary.address), signal });
    const { program } = server;
    const loaded = await loadIntoScratch({ program, rdb: snapshot.chunks(), databases: 16, signal });
    const { summary } = snapshot.whole();
    const found = [...loaded.values()].reduce((sum, it) => sum + it, 0);
    if (found !== summary.keys)
      return {
        result: 'failed',
        found: `${name}: its snapshot has ${summary.keys} keys, and ${found} were there once ${server.release} had loaded it`,
      };
    keys += found;
  }
  return { result: 'passed', found: `${keys.toLocaleString('en')} keys saved, and loaded again` };
}

/** A key that expires is gone on its primary and on each replica. */
async function expires(context: Context, shards: readonly ShardView[]): Promise<Tried> {
  const { endpoint, signal } = context;
  let longest = 0;
  for (const { name, slots, primary, replicas } of shards) {
    const [tag = ''] = tagsFor(slots, 1);
    const key = `redis-rollout-load:{${tag}}:expires`;
    const nodes = [primary, ...replicas];
    const open: NodeConnection[] = [];
    try {
      for (const { address } of nodes) open.push(await context.connect(address));
      for (const node of open.slice(1)) await node.call('READONLY');
      await open[0]?.call('SET', key, 'x', 'PX', EXPIRES_MS);
      const begun = performance.now();
      for (const [i, node] of open.entries())
        while ((await node.call('EXISTS', key)) !== 0) {
          signal.throwIfAborted();
          if (performance.now() - begun > GONE_WITHIN_MS)
            return {
              result: 'failed',
              found: `${name}: a key with ${EXPIRES_MS} ms to live is there on ${nodes[i]?.address ?? endpoint.host} after ${formatDuration(GONE_WITHIN_MS)}`,
            };
          await sleep(20);
        }
      longest = Math.max(longest, performance.now() - begun);
    } finally {
      for (const node of open) node.close();
    }
  }
  return {
    result: 'passed',
    found: `gone everywhere ${formatDuration(longest)} after it was written, of ${EXPIRES_MS} ms to live`,
  };
}

const stepOf = ({ check, ...result }: CheckResult): StagingStep => ({ name: `check ${check}`, ...result });

/** Of the rehearsal and of the check: an attempt finds what the one before it has left. */
const containerName = (operation: string, check: string): string =>
  `redis-rollout-${createHash('sha256').update(operation).digest('hex').slice(0, 12)}-${check}`;

async function request(
  { name, url, method, body, status, contains, timeout }: Extract<StagingCheck, { kind: 'http' }>,
  { nodes, signal }: { nodes: readonly string[]; signal: AbortSignal },
): Promise<StagingStep> {
  const [host = '', port = ''] = nodes[0]?.split(':') ?? [];
  const filled = (text: string): string =>
    text.replaceAll('{nodes}', nodes.join(',')).replaceAll('{host}', host).replaceAll('{port}', port);
  return step(`check ${name}`, async () => {
    try {
      const answer = await fetch(filled(url), {
        method,
        ...(body === undefined || method === 'GET' ? {} : { body: filled(body) }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
      });
      const text = await answer.text();
      const said = text.trim().slice(-KEPT);
      if (answer.status !== status)
        return { result: 'failed', found: `expected status ${status}, found ${answer.status}: ${said}` };
      if (contains !== undefined && !text.includes(contains))
        return { result: 'failed', found: `expected '${contains}' in the answer, found: ${said}` };
      return { result: 'passed', found: `status ${answer.status}` };
    } catch (error) {
      signal.throwIfAborted();
      const late = error instanceof Error && error.name === 'TimeoutError';
      const why = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
      return { result: 'failed', found: late ? `not done within ${formatDuration(timeout)}` : why };
    }
  });
}
