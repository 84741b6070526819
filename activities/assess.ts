import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancellationSignal } from '@temporalio/activity';
import { BackupStore } from '../integrations/backup-store.js';
import { checksOf } from '../model/checks.js';
import { explainRefusal, leftToUpgrade, stopsLeft } from '../model/compatibility/upgrade-path.js';
import type { Deployment } from '../model/deployment.js';
import { RolloutError } from '../model/failures.js';
import { evaluateGates } from '../model/gates/evaluate.js';
import { isNews, pollMs } from '../model/gates/looks.js';
import { plannedHooks } from '../model/hooks.js';
import { eachNode } from '../model/in-parallel.js';
import { compareNumbers, release, satisfies } from '../model/release.js';
import { allNodes, type ShardView, type TopologyView } from '../model/topology.js';
import type { Verdict } from '../model/verdict.js';
import type { AssessActivities, Assessment, ClusterNow, GateResult, ShardNow } from '../model/work.js';
import { missingPermissions, undertakingOf, unknownCommands } from '../redis/permissions.js';
import { awayAmong, type Accounts } from '../redis/topology.js';
import { isPending, readBefore } from './before.js';
import { contextFor, heartbeating, platformNode, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { readFacts } from './facts.js';
import { judgeHandover, observe } from './observe.js';
import { placeOf } from './places.js';
import { noteNames, readNamed } from './shard-names.js';
import { sinceRoles } from './role-change.js';

/** A node that flickers in another's view for a moment is no degraded cluster, ms. */
const TOPOLOGY_PATIENCE_MS = 5000;
/** Gates that could not be looked at for this long are a failure and no verdict, ms. */
const UNSEEN_MS = 60_000;

export function assessActivities(dependencies: Dependencies): AssessActivities {
  return {
    assess: (input) =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        const { deployment, folder } = context;
        const { topology: whole, away } = await readWhole(context, input.shard);
        const way = await Promise.all([...(input.via ?? []), input.to].map((stop) => exactTarget(context, stop)));
        const topology = input.shard === undefined ? whole : onlyShard(whole, input.shard);
        const pending = await pendingAmong(context, topology);
        const nodes = allNodes(topology).map(({ address, release }) => ({
          release,
          pending: pending.includes(address),
        }));
        const stops = stopsLeft(nodes, way);
        const [to, target] = [stops[0] ?? '', stops.at(-1) ?? ''];
        const running = nodes.map((node) => node.release);
        const from = leftToUpgrade(running, to)[0] ?? to;
        const between = stops.slice(0, -1).filter((stop) => stop !== from);
        const refusal = from === target ? undefined : explainRefusal(deployment.name, from, target, between);
        if (refusal !== undefined) throw new RolloutError('BadTarget', refusal);
        const facts = readFacts(context, topology);
        // Measured while the rest is looked at, which says better what is missing.
        facts.catch(() => undefined);
        await mayAct(context, topology);
        await mayBackUp(deployment);
        const { name, policy, hooks } = deployment;
        const checks = checksOf(deployment.checks, 'validation').map((check) => check.name);
        return {
          name,
          policy,
          from,
          to,
          way,
          topology,
          facts: await facts,
          pending,
          ...(away ? { away } : {}),
          ...(hooks.length > 0 ? { hooks: plannedHooks(hooks) } : {}),
          ...(checks.length > 0 ? { checks } : {}),
          searchable: dependencies.searchable,
          artefacts: folder,
        } satisfies Assessment;
      }),

    readCluster: (input) => heartbeating(async () => readWhole(await contextFor(dependencies, input))),

    readShard: (input) => heartbeating(async () => readShardNow(await contextFor(dependencies, input), input.shard)),

    checkGates: (input) =>
      heartbeating(async (tell) => {
        const begun = performance.now();
        for (let lastSeen = begun; ;) {
          try {
            // Thresholds are read anew each time: whoever changes one is heeded.
            const results = await judge(await contextFor(dependencies, input), input);
            lastSeen = performance.now();
            tell(results);
            if (isNews(results, input) || lastSeen - begun > input.patienceMs) return results;
          } catch (error) {
            // It may look for hours: what fails for a moment meanwhile is not what it was asked about.
            if (lastSeen === begun || performance.now() - lastSeen > UNSEEN_MS) throw error;
          }
          await sleep(pollMs(input.patienceMs), undefined, { signal: cancellationSignal() });
        }
      }),
  };
}

/**
 * A shard as it is now.
 *
 * @throws RolloutError Unreachable while a member of it can't be read
 */
export async function readShardNow(context: Context, name: string): Promise<ShardNow> {
  const found = await readNamed(context, name);
  const { topology, accounts } = found;
  const shard = mustServe(found, name);
  const peers = accounts.find(({ node }) => node.id === shard.primary.id)?.peers ?? [];
  const away = peers.filter(
    (peer) => peer.primaryId === shard.primary.id && !shard.replicas.some((it) => it.id === peer.id),
  );
  if (away.length > 0)
    throw new RolloutError(
      'Unreachable',
      `${away.map((peer) => peer.address).join(', ')} of ${shard.name} can't be read: bring it back, or have every node forget it (CLUSTER FORGET)`,
    );
  return { shard, pending: await pendingAmong(context, { ...topology, shards: [shard] }) };
}

/** @throws RolloutError Unreachable where nobody who can be read serves it */
export function mustServe({ topology }: Pick<Accounts, 'topology'>, name: string): ShardView {
  const shard = topology.shards.find((it) => it.name === name);
  if (shard) return shard;
  throw new RolloutError(
    'Unreachable',
    `${name} has no primary with slots that can be read: ${topology.disagreements.slice(0, 3).join('; ')}`,
  );
}

/** With `shard`, as its nodes see it; who is away, of all. */
export async function readWhole(context: Context, shard?: string): Promise<ClusterNow> {
  const found = await readSettled(() => readNamed(context, shard));
  const { topology } = found;
  if (topology.disagreements.length === 0) {
    await noteNames(context, topology);
    return { topology };
  }
  const away = awayAmong(shard === undefined ? found : await readNamed(context));
  return { topology, ...(away.length === 0 ? {} : { away }) };
}

type Looking = Parameters<AssessActivities['checkGates']>[0];

async function judge(context: Context, input: Looking): Promise<GateResult[]> {
  const { gates, handover } = input;
  const observed = await observe(context, input);
  const lost = observed.observation.standbys.find((it) => it.lost !== undefined)?.lost;
  const results = evaluateGates(observed.observation, context.deployment.policy, gates).map((it) =>
    it.gate === 'standby' && lost !== undefined && input.excuseDown ? { ...it, lost } : it,
  );
  if (!handover) return results;
  const to = allNodes(observed.observation.topology).find((node) => node.address === handover.candidate)?.release ?? '';
  const shardNow = observed.observation.topology.shards.find((it) =>
    it.replicas.some((node) => node.address === handover.candidate),
  );
  const settling =
    shardNow && (await sinceRoles(context, { primary: shardNow.primary.address, replica: handover.candidate }));
  const verdict: Verdict = judgeHandover(context, observed, { ...handover, ...settling }, to);
  return [...results, { gate: 'handover', verdict }];
}

/** Nodes that an operation, perhaps one that was terminated, has isolated and not released yet. */
export async function pendingAmong(context: Context, topology: TopologyView): Promise<string[]> {
  const found = await eachNode(allNodes(topology), async ({ address }) => {
    await using connection = await context.connect(address);
    const before = await readBefore(context, { ...(await placeOf(connection)), pending: false });
    return isPending(before) ? [address] : [];
  });
  return found.flat();
}

/** The newest release at hand that the target means. */
export async function exactTarget({ platform }: Pick<Context, 'platform'>, to: string): Promise<string> {
  const releases = await platform.releases();
  const fitting = releases.filter((it) => satisfies(it, to)).sort((a, b) => compareNumbers(release(b), release(a)))[0];
  if (fitting !== undefined) return fitting;
  throw new RolloutError('MissingServer', `no server of ${to} is at hand; there are ${releases.join(', ') || 'none'}`);
}

/** Everything that is going to be done must be allowed, and every node must be where the platform can reach it. */
async function mayAct(context: Context, topology: TopologyView): Promise<void> {
  const { deployment, platform } = context;
  const nodes = allNodes(topology);
  const undertaking = undertakingOf(
    deployment,
    nodes.map((it) => it.release),
  );
  const refusals = await eachNode(nodes, async (node) => {
    await using connection = await context.connect(node.address);
    const missing = await missingPermissions(connection, node.release, undertaking);
    if (missing.length > 0) return `${node.address}: ${missing.join(', ')}`;
    const unknown = await unknownCommands(connection, undertaking);
    if (unknown.length > 0)
      throw new RolloutError(
        'BadDeploymentFile',
        `commands: ${node.address} doesn't know ${unknown.join(', ')}, which policy.fallback: standby needs; where redis.conf renames them, name them here`,
      );
    const place = await placeOf(connection);
    const { state } = await platform.inspect(platformNode({ ...place, pending: false }));
    if (state !== 'running')
      throw new RolloutError(
        'BadDeploymentFile',
        `platform: ${node.address} answers, but no process of this machine with the folder ${place.home} serves it (platform 'process' is for nodes beside the worker)`,
      );
    return undefined;
  });
  const found = refusals.filter((it) => it !== undefined);
  if (found.length > 0)
    throw new RolloutError(
      'MissingPermission',
      `${deployment.credentials.username ?? 'the default user'} may not run what an upgrade needs; ${found.join('; ')}`,
    );
}

/** Both are told before anybody is asked to approve. */
async function mayBackUp(deployment: Deployment): Promise<void> {
  await mayWrite(deployment.backup.directory);
  if (deployment.backup.encryption === undefined) return;
  const store = await BackupStore.open(deployment);
  await store.keys();
  await store.check();
}

async function mayWrite(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await access(directory, constants.W_OK);
  } catch (error) {
    throw new RolloutError(
      'BackupFailed',
      `backup.directory: ${directory} can't be written to (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
      { cause: error },
    );
  }
}

async function readSettled(read: () => Promise<Accounts>): Promise<Accounts> {
  const deadline = performance.now() + TOPOLOGY_PATIENCE_MS;
  for (;;) {
    const found = await read();
    if (found.topology.disagreements.length === 0 || performance.now() > deadline) return found;
    await sleep(250);
  }
}

/** One shard of it; what is wrong elsewhere is the gates' to say. */
function onlyShard(topology: TopologyView, name: string): TopologyView {
  const shards = topology.shards.filter((it) => it.name === name);
  if (shards.length === 0)
    throw new RolloutError(
      'BadInput',
      `shard: expected one of ${topology.shards.map((it) => it.name).join(', ')}, found ${name}`,
    );
  return { ...topology, shards, disagreements: [] };
}
