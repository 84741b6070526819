import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { platformFor, type Context } from '../activities/context.js';
import { readFacts } from '../activities/facts.js';
import { observe } from '../activities/observe.js';
import { hiddenBy, readRegistry } from '../activities/standby-registry.js';
import { endpointFor } from '../integrations/secrets.js';
import type { Deployment } from '../model/deployment.js';
import { RolloutError } from '../model/failures.js';
import { evaluateGates, gatesOf } from '../model/gates/evaluate.js';
import { hopsOf, type Plan, type PlanWarning } from '../model/plan.js';
import { stopsLeft } from '../model/compatibility/upgrade-path.js';
import { planWay } from '../model/planning/plan-way.js';
import { compareNumbers, parseRelease, release, satisfies } from '../model/release.js';
import { allNodes, type TopologyView } from '../model/topology.js';
import { windowOutlook } from '../model/calendar.js';
import { at, connect } from '../redis/connection.js';
import { missingPermissions, undertakingOf, unknownCommands } from '../redis/permissions.js';
import { readTopology } from '../redis/topology.js';
import { stateFolder } from './state-folder.js';

/** Judged by the probe and by standbys, which are not there before an upgrade is. */
const laterGates = ['latency', 'errors', 'standby'];

/**
 * The plan of a deployment as it stands now, with its gates: what the workflow's assessment would find, read from
 * here, without Temporal and without touching anything.
 *
 * @throws RolloutError BadInput, Unreachable, Unauthorized, MissingPermission, …
 */
export async function readPlan(deployment: Deployment, target: string, via: readonly string[] = []): Promise<Plan> {
  const wanted = [...via, target];
  for (const it of wanted)
    if (parseRelease(it) === undefined)
      throw new RolloutError('BadTarget', `'${it}' is no release: expected for example 8.0, 7.2.4 or valkey-9.1`);
  // Where the probe's findings would lie; nothing is kept.
  const folder = await mkdtemp(join(tmpdir(), 'redis-rollout-plan-'));
  try {
    const context = await looking(deployment, folder);
    const topology = await readTopology(context.endpoint, deployment.seeds);
    const servers = await context.platform.releases();
    const newest = (stop: string): string | undefined =>
      servers.filter((it) => satisfies(it, stop)).sort((a, b) => compareNumbers(release(b), release(a)))[0];
    const missing = wanted.filter((stop) => newest(stop) === undefined);
    const running = allNodes(topology).map((node) => ({ release: node.release, pending: false }));
    const stops = stopsLeft(
      running,
      wanted.map((stop) => newest(stop) ?? stop),
    );
    const names = gatesOf(deployment.policy).filter((name) => !laterGates.includes(name));
    const [facts, { observation }, refused] = await Promise.all([
      readFacts(context, topology),
      observe(context, { gates: names }),
      permissionWarnings(context, topology),
    ]);
    const gates = evaluateGates(observation, deployment.policy, names);
    const plan = planWay({ deployment, topology, facts, gates }, stops);
    const { soak } = deployment.policy;
    // Soaks go on whatever the time; whatever is done to nodes is to lie within.
    const neededMs = hopsOf(plan).reduce((ms, { expectedMs }) => ms + Math.max(0, expectedMs - soak), 0);
    const window = windowOutlook(deployment.policy, Date.now(), neededMs);
    return {
      ...plan,
      ...(window ? { window } : {}),
      warnings: [...refused, ...missing.map((stop) => noServer(stop, servers)), ...plan.warnings],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** As an activity has it, without the right to act: nothing here needs a fence. */
async function looking(deployment: Deployment, folder: string): Promise<Context> {
  const deploymentFolder = join(stateFolder(), deployment.name);
  const endpoint = {
    ...(await endpointFor(deployment)),
    ...hiddenBy(await readRegistry(deploymentFolder)),
  };
  return {
    deployment,
    endpoint,
    platform: platformFor(deployment),
    folder,
    deploymentFolder,
    token: { epoch: 0, holder: 'plan' },
    signal: new AbortController().signal,
    connect: (address) => connect(at(endpoint, address)),
    connectToAct: ({ address }) => Promise.reject(new RolloutError('Fenced', `${address}: a plan changes nothing`)),
  };
}

async function permissionWarnings(context: Context, topology: TopologyView): Promise<PlanWarning[]> {
  const { deployment } = context;
  const nodes = allNodes(topology);
  const undertaking = undertakingOf(
    deployment,
    nodes.map(({ release }) => release),
  );
  const refused = await Promise.all(
    nodes.map(async ({ address, release }) => {
      await using connection = await context.connect(address);
      const missing = await missingPermissions(connection, release, undertaking);
      return { address, missing, unknown: await unknownCommands(connection, undertaking) };
    }),
  );
  const user = deployment.credentials.username ?? 'default';
  const lacking = refused
    .filter(({ missing }) => missing.length > 0)
    .map(({ address, missing }): PlanWarning => ({
      severity: 'blocker',
      subject: address,
      text: `user '${user}' may not run ${missing.join(', ')}, which an upgrade needs`,
      next: `ACL SETUSER ${user} ${missing.map((it) => (it.startsWith('~') ? it : `+${it.toLowerCase().replace(' ', '|')}`)).join(' ')}`,
    }));
  const hidden = refused
    .filter(({ unknown }) => unknown.length > 0)
    .map(({ address, unknown }): PlanWarning => ({
      severity: 'blocker',
      subject: address,
      text: `it doesn't know ${unknown.join(', ')}, which a standby needs (policy.fallback)`,
      next: 'Where redis.conf renames them, name them under commands in the deployment file.',
    }));
  return [...lacking, ...hidden];
}

function noServer(target: string, servers: readonly string[]): PlanWarning {
  return {
    severity: 'warning',
    subject: 'servers',
    text: `no server of ${target} on this machine; there are ${servers.join(', ') || 'none'}`,
    next: 'The worker needs one: run `npm run setup` there, or name it under platform.servers.',
  };
}
