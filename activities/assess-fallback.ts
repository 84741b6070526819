import { RolloutError } from '../model/failures.js';
import { eachNode } from '../model/in-parallel.js';
import { compareNumbers, release } from '../model/release.js';
import { streamSince } from '../model/restore.js';
import { allNodes, type TopologyView } from '../model/topology.js';
import type { FallbackActivities, FallbackAssessment, StandbyNow } from '../model/work.js';
import { pendingAmong, readShardNow, readWhole } from './assess.js';
import { newestBackup } from './backup.js';
import { readOrigin } from './before.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { readInfo } from '../redis/node.js';
import { placeOf } from './places.js';
import { readRestores, unfinishedOf } from './restore-registry.js';
import { hasSlots, seeStandbys } from './see-standbys.js';
import { readRegistry, type StandbyEntry } from './standby-registry.js';

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
        const { topology: whole, away } = await readWhole(seeing);
        const unfinished = unfinishedOf(await readRestores(context.deploymentFolder));
        // Who serves a shard whose restore was interrupted may be down: that one goes on before anything else is looked at.
        const topology = unfinished.length > 0 ? whole : onlyShards(whole, input.shards);
        const { name, policy } = deployment;
        const releases = allNodes(topology).map((node) => node.release);
        const to = await releaseBefore(context, { topology, entries });
        return {
          ...{ name, policy, from: oldestFirst(releases).at(-1) ?? to, to, way: [to], topology, facts: { nodes: {} } },
          pending: await pendingAmong(seeing, topology),
          ...(away ? { away } : {}),
          ...{ searchable: dependencies.searchable, artefacts: folder, standbys: entries.map(nowOf) },
          backups: await backupsOf(context, topology, to),
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
        const now = await readShardNow(await withServing(context, entries), input.shard);
        return { ...now, ...(entry ? { standby: nowOf(entry) } : {}) };
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

/** Each shard's backup, and how far its stream has gone on since. */
async function backupsOf(
  context: Context,
  { shards }: TopologyView,
  to: string,
): Promise<FallbackAssessment['backups']> {
  const backups = await newestBackup(context.deployment, to);
  return eachNode(backups, async (backup) => {
    const primary = shards.find(({ name }) => name === backup.shard)?.primary.address;
    if (primary === undefined) return backup;
    await using connection = await context.connect(primary);
    const streamBytes = streamSince(backup, await readInfo(connection, 'replication'));
    return { ...backup, ...(streamBytes === undefined ? {} : { streamBytes }) };
  });
}

const nowOf = ({ shard, address, state, release: its }: StandbyEntry): StandbyNow => ({
  ...{ shard, address, state, release: its },
});

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
