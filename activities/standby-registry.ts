import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import type { Endpoint } from '../redis/connection.js';
import type { FollowPoint } from '../redis/standby/point.js';
import { sharedList } from './shared-list.js';

/** A standby as the worker's state folder knows it: the only place that tells it from a member without slots. */
export interface StandbyEntry extends Omit<NodePlace, 'pending' | 'pid'>, Partial<FollowPoint> {
  shard: string;
  /** `serving`: a fallback has made it its shard's primary, and whoever reads the topology is to see it. */
  state: 'syncing' | 'frozen' | 'serving';
  /** Id that it has in the cluster, from when it was frozen. */
  nodeId?: string;
  /** Memory that its dataset was found to need, bytes. */
  bytes: number;
  /** Directives that it runs otherwise as long as it serves nobody, and what its shard's primary runs with. */
  serveWith: Record<string, string>;
}

// Taken for empty, the standbys would be seen as nodes of the cluster, and be in the way.
const list = sharedList<StandbyEntry>('standbys', 'which nodes are standbys');

export const readRegistry = list.read;
export const changeRegistry = list.change;

export async function findStandby(folder: string, shard: string): Promise<StandbyEntry | undefined> {
  return (await readRegistry(folder)).find((entry) => entry.shard === shard);
}

/** @throws RolloutError StandbyLost where the shard has none */
export async function needStandby(folder: string, shard: string): Promise<StandbyEntry> {
  const entry = await findStandby(folder, shard);
  if (!entry) throw new RolloutError('StandbyLost', `${shard} has no standby by ${folder}/standbys.json`);
  return entry;
}

/** Notes what became of a shard's standby. */
export const noteStandby = (
  folder: string,
  shard: string,
  news: Partial<Pick<StandbyEntry, 'state' | 'nodeId' | 'replid' | 'offset' | 'bytes'>>,
): Promise<void> =>
  changeRegistry(folder, (entries) => entries.map((entry) => (entry.shard === shard ? { ...entry, ...news } : entry)));

export const dropStandby = (folder: string, shard: string): Promise<void> =>
  changeRegistry(folder, (entries) => entries.filter((entry) => entry.shard !== shard));

/** What is no member to whoever reads the topology, for its endpoint. */
export function hiddenBy(entries: readonly StandbyEntry[]): Required<Pick<Endpoint, 'standbys' | 'standbyIds'>> {
  const hidden = entries.filter(({ state }) => state !== 'serving');
  return {
    standbys: hidden.map(({ address }) => address),
    standbyIds: Object.fromEntries(
      hidden.flatMap(({ address, nodeId }) => (nodeId === undefined ? [] : [[address, nodeId]])),
    ),
  };
}

export function placeOfStandby(entry: StandbyEntry): NodePlace {
  const { address, home, configurationFile, logFile, datasetFile, clusterFile, release } = entry;
  return {
    ...{ address, home, configurationFile, datasetFile, clusterFile, release, pending: false },
    ...(logFile === undefined ? {} : { logFile }),
  };
}
