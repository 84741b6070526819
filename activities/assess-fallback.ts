import { RolloutError } from '../model/failures.js';
import { plannedHooks } from '../model/hooks.js';
import { eachNode } from '../model/in-parallel.js';
import { compareNumbers, release } from '../model/release.js';
import { streamSince } from '../model/restore.js';
import { allNodes, type TopologyView } from '../model/topology.js';
import type { FallbackActivities, FallbackAssessment, StandbyNow } from '../model/fallback-work.js';
import { mustServe, pendingAmong, readWhole } from './assess.js';
import { newestBackup } from './backup.js';
import { readOrigin } from './before.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { readInfo } from '../redis/node.js';
import { poll } from '../redis/roles.js';
import { placeOf } from './places.js';
import { readRestores, unfinishedOf } from './restore-registry.js';
import { hasSlots, seeStandbys } from './see-standbys.js';
import { awayOf } from './away.js';
import { lossOf } from './lost-standby.js';
import { readNamed } from './shard-names.js';
import { readRegistry, type StandbyEntry } from './standby-registry.js';
import { readServed } from './unserved.js';

/** How long a node that can't be read, and that others see as healthy, may stay so, ms: a node timeout and some. */
const AWAY_PATIENCE_MS = 30_000;

/** What a fallback looks at: each changes nothing. */
export function fallbackActivities(
  dependencies: Dependencies,
): Pick<FallbackActivities, 'assessFallback' | 'lookBack' | 'seeStandbys'> {
  return {
    assessFallback: (input) =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        const { deployment, folder } = context;
        const entries = await readRegistry(context.deploymentFolder);
        const seeing = await withServing(context, entries);
        const unfinished = unfinishedOf(await readRestores(context.deploymentFolder));
        if (unfinished.length === 0) await readServed(seeing, input.shards);
        const { topology: whole, away } = await readWhole(seeing);
        // Who serves a shard whose restore was interrupted may be down: that one goes on before anything else is looked at.
        const topology = unfinished.length > 0 ? whole : onlyShards(whole, input.shards);
        const { name, policy, hooks } = deployment;
        const releases = allNodes(topology).map((node) => node.release);
        const to = await releaseBefore(context, { topology, entries });
        return {
          ...{ name, policy, from: oldestFirst(releases).at(-1) ?? to, to, way: [to], topology, facts: { nodes: {} } },
          pending: await pendingAmong(seeing, topology),
          ...(away ? { away, awayIn: await awayIn(seeing, topology) } : {}),
          ...(hooks.length > 0 ? { hooks: plannedHooks(hooks) } : {}),
          ...{
            searchable: dependencies.searchable,
            artefacts: folder,
            standbys: await eachNode(entries, (it) => nowOf(seeing, whole, it)),
          },
          ...(await backupsOf(context, topology, to)),
          ...(unfinished.length === 0
            ? {}
            : { unfinished: unfinished.map(({ shard, primary, to, backup }) => ({ shard, primary, to, backup })) }),
        } satisfies FallbackAssessment;
      }),

    lookBack: (input) =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        const entries = (await readRegistry(context.deploymentFolder)).filter(({ shard }) => shard === input.shard);
        const [entry] = entries;
        const seeing = await withServing(context, entries);
        const { found, shard, away } = await poll(
          async () => {
            const found = await readServed(seeing, [input.shard]);
            const shard = mustServe(found, input.shard);
            return { found, shard, away: await awayOf(seeing, found, shard) };
          },
          // Who is silent for a moment, or loads its dataset, is no reason to do the others first.
          ({ found, away }) => away.every((it) => found.down?.addresses.includes(it)),
          { everyMs: 500, withinMs: AWAY_PATIENCE_MS, signal: context.signal },
        );
        return {
          ...{ shard, pending: await pendingAmong(seeing, { ...found.topology, shards: [shard] }) },
          ...(entry ? { standby: await nowOf(seeing, found.topology, entry) } : {}),
          ...(away.length > 0 ? { away } : {}),
        };
      }),

    seeStandbys: (input) =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        const entries = await readRegistry(context.deploymentFolder);
        return seeStandbys(
          context,
          entries.map(({ shard }) => ({ name: shard })),
        );
      }),
  };
}

/**
 * Each shard's backup, and how far its stream has gone on since. A target that can't be read is in the way of a restore, and of
 * no other way back.
 */
async function backupsOf(
  context: Context,
  { shards }: TopologyView,
  to: string,
): Promise<Pick<FallbackAssessment, 'backups' | 'backupsUnread'>> {
  const found = await newestBackup(context.deployment, to).catch((error: unknown) => {
    if (error instanceof RolloutError) return error;
    throw error;
  });
  if (found instanceof RolloutError) return { backups: [], backupsUnread: found.message };
  const backups = await eachNode(found, async (backup) => {
    const primary = shards.find(({ name }) => name === backup.shard)?.primary.address;
    if (primary === undefined) return backup;
    await using connection = await context.connect(primary);
    const streamBytes = streamSince(backup, await readInfo(connection, 'replication'));
    return { ...backup, ...(streamBytes === undefined ? {} : { streamBytes }) };
  });
  return { backups };
}

async function nowOf(context: Context, { shards }: TopologyView, entry: StandbyEntry): Promise<StandbyNow> {
  const { shard, address, state, release: its } = entry;
  const lost = await lossOf(context, entry, shards.find(({ name }) => name === shard)?.primary);
  return { ...{ shard, address, state, release: its }, ...(lost === undefined ? {} : { lost }) };
}

async function awayIn(context: Context, { shards }: TopologyView): Promise<NonNullable<FallbackAssessment['awayIn']>> {
  const found = await readNamed(context);
  const each = await eachNode(shards, async (shard) =>
    (await awayOf(context, found, shard)).map((address) => ({ shard: shard.name, address })),
  );
  return each.flat();
}

/** A standby that took its slots, and whose attempt did not come to write that down, is its shard's primary all the same. */
async function withServing(context: Context, entries: readonly StandbyEntry[]): Promise<Context> {
  const frozen = entries.filter(({ state }) => state === 'frozen');
  const found = await eachNode(frozen, async ({ address }) => ((await hasSlots(context, address)) ? [address] : []));
  const serving = found.flat();
  if (serving.length === 0) return context;
  const standbys = (context.endpoint.standbys ?? []).filter((address) => !serving.includes(address));
  return { ...context, endpoint: { ...context.endpoint, standbys } };
}

function onlyShards(topology: TopologyView, names: readonly string[]): TopologyView {
  const known = topology.shards.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new RolloutError('BadInput', `shards: expected some of ${known.join(', ')}, found ${unknown.join(', ')}`);
  return names.length === 0
    ? topology
    : { ...topology, shards: topology.shards.filter(({ name }) => names.includes(name)) };
}

/** The release to go back to: a standby's, what a node is known to have run before, or the oldest that still runs. */
async function releaseBefore(
  context: Context,
  { topology, entries }: { topology: TopologyView; entries: readonly StandbyEntry[] },
): Promise<string> {
  const standby = entries.find(({ shard }) => topology.shards.some(({ name }) => name === shard));
  if (standby) return standby.release;
  const nodes = allNodes(topology);
  const noted = await eachNode(nodes, async ({ address }) => {
    await using connection = await context.connect(address);
    const origin = await readOrigin(context, { ...(await placeOf(connection)), pending: false });
    return origin ? [origin.release] : [];
  });
  const [oldest] = oldestFirst([...noted.flat(), ...nodes.map((node) => node.release)]);
  if (oldest !== undefined) return oldest;
  throw new RolloutError('Unreachable', 'no node could be read');
}

/** Within one flavour by number; Redis came before Valkey. */
export const oldestFirst = (releases: readonly string[]): string[] =>
  [...releases].sort((a, b) => {
    const [x, y] = [release(a), release(b)];
    return x.flavour === y.flavour ? compareNumbers(x, y) : x.flavour === 'redis' ? -1 : 1;
  });
