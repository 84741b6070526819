import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import { locked } from '../platforms/process/lock.js';
import type { FollowPoint } from '../redis/standby/point.js';

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

const FILE = 'standbys.json';

/** @param folder of the deployment, `<state>/<deployment>` */
export async function readRegistry(folder: string): Promise<StandbyEntry[]> {
  const path = join(folder, FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  try {
    return JSON.parse(text) as StandbyEntry[];
  } catch (cause) {
    // Taken for empty, the standbys would be seen as nodes of the cluster, and be in the way.
    throw new RolloutError('Unreadable', `${path} is no JSON: put it right, it says which nodes are standbys`, {
      cause,
    });
  }
}

/** Changes the list while nobody else does; shards are worked on side by side. */
export async function changeRegistry(
  folder: string,
  change: (entries: StandbyEntry[]) => StandbyEntry[] | Promise<StandbyEntry[]>,
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await locked(join(folder, '.standbys'), async () => {
    const path = join(folder, FILE);
    const changed = await change(await readRegistry(folder));
    await writeFile(`${path}.partial`, `${JSON.stringify(changed, null, 2)}\n`, { mode: 0o600 });
    await rename(`${path}.partial`, path);
  });
}

export async function findStandby(folder: string, shard: string): Promise<StandbyEntry | undefined> {
  return (await readRegistry(folder)).find((entry) => entry.shard === shard);
}

/** @throws RolloutError StandbyLost where the shard has none */
export async function needStandby(folder: string, shard: string): Promise<StandbyEntry> {
  const entry = await findStandby(folder, shard);
  if (!entry) throw new RolloutError('StandbyLost', `${shard} has no standby by ${join(folder, FILE)}`);
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

/** Addresses that are no members to whoever reads the topology. */
export const hiddenBy = (entries: readonly StandbyEntry[]): string[] =>
  entries.filter(({ state }) => state !== 'serving').map(({ address }) => address);

export function placeOfStandby(entry: StandbyEntry): NodePlace {
  const { address, home, configurationFile, logFile, datasetFile, clusterFile, release } = entry;
  return {
    ...{ address, home, configurationFile, datasetFile, clusterFile, release, pending: false },
    ...(logFile === undefined ? {} : { logFile }),
  };
}
