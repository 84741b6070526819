import type { NodeSettings, ShardKeys, Survey } from '../model/assessment/survey.js';
import type { Unseen } from '../model/assessment/unseen.js';
import { eachNode } from '../model/in-parallel.js';
import { allNodes, type NodeView, type ShardView, type TopologyView } from '../model/topology.js';
import { readCommandTable } from '../redis/assess/command-table.js';
import { sampleKeys } from '../redis/assess/keys.js';
import { readSettings } from '../redis/assess/settings.js';
import { seeing, type Sight } from '../redis/assess/sight.js';
import { missingPermissions, undertakingOf } from '../redis/permissions.js';
import type { Context } from './context.js';

type Looking = Pick<Context, 'connect' | 'deployment' | 'signal'>;

type Seen = <T>(address: string, look: (sight: Sight) => Promise<T>) => Promise<T>;

export interface SurveyOptions {
  topology: TopologyView;
  /** The oldest release that runs. */
  from: string;
  /** Keys of each shard that are looked at. */
  sample: number;
  onProgress: (details: unknown) => void;
}

/** Reads the deployment, and changes nothing; what is not shown is noted. */
export async function survey(context: Looking, options: SurveyOptions): Promise<Omit<Survey, 'watched'>> {
  const { topology, from } = options;
  const unseen: Unseen[] = [];
  const seen: Seen = (address, look) => seeing({ ...context, unseen }, address, look);
  const nodes = allNodes(topology);
  const settings = await eachNode(nodes, ({ address }) => seen(address, readSettings));
  const oldest = nodes.find(({ release }) => release === from) ?? nodes[0];
  const commands =
    oldest &&
    (await seen(oldest.address, (sight) =>
      sight.ask(
        'COMMAND',
        `arity and flags of commands as ${from} has them: those of a plain server of it are taken`,
        readCommandTable,
      ),
    ));
  const keys: ShardKeys[] = [];
  // One shard after the other: the load is on one node at a time.
  for (const shard of topology.shards) {
    const found = await keysOf(context, shard, options, { settings, seen });
    if (found) keys.push(found);
  }
  return {
    settings,
    ...(commands ? { commands } : {}),
    keys,
    missingRights: await missingRights(context, nodes),
    unseen,
  };
}

/** Of a replica where there is one: only a primary knows how often clients use a key, and a replica's load hurts nobody. */
async function keysOf(
  { signal }: Looking,
  { name, primary, replicas }: ShardView,
  { sample, onProgress }: SurveyOptions,
  { settings, seen }: { settings: readonly NodeSettings[]; seen: Seen },
): Promise<ShardKeys | undefined> {
  const policy = settings.find(({ address }) => address === primary.address)?.configuration?.['maxmemory-policy'] ?? '';
  const frequencies = policy.includes('lfu');
  const replica = frequencies ? undefined : replicas.find(({ replication }) => replication?.link === 'up');
  const options = {
    ...{ shard: name, most: sample, frequencies, signal },
    onProgress: (looked: number) => onProgress(`${name}: ${looked} keys looked at`),
  };
  if (replica === undefined) return seen(primary.address, (sight) => sampleKeys(sight, options));
  return seen(replica.address, async (sight) => {
    const allowed = await sight.ask('READONLY', 'keys of the replica', (connection) => connection.call('READONLY'));
    return allowed === undefined ? undefined : sampleKeys(sight, options);
  });
}

async function missingRights({ connect, deployment }: Looking, nodes: readonly NodeView[]): Promise<string[]> {
  const undertaking = undertakingOf(
    deployment,
    nodes.map(({ release }) => release),
  );
  const found = await eachNode(nodes, async ({ address, release }) => {
    await using connection = await connect(address);
    return await missingPermissions(connection, release, undertaking);
  });
  return [...new Set(found.flat())];
}
