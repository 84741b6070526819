import { slotsKey } from '../model/archive.js';
import { chooseBackupSource } from '../model/backup-source.js';
import { notWhole } from '../model/backup-manifest.js';
import { RolloutError } from '../model/failures.js';
import type { ShardView } from '../model/topology.js';
import { at } from '../redis/connection.js';
import { readTopology } from '../redis/topology.js';
import type { ArchiveSource } from './archive-shard.js';
import type { Context } from './context.js';

/**
 * The nodes of the shard that has these slots, the best to read from first and the primary last; or where the slots went.
 * Which shard that is, is asked anew each time: nodes come and go, and names of shards go by the order of slots.
 *
 * @throws RolloutError Unreachable, … where no seed answers; NotCaughtUp while nobody is known to serve the slots
 */
export async function archiveSources(
  { endpoint, deployment }: Pick<Context, 'endpoint' | 'deployment'>,
  slots: string,
): Promise<ArchiveSource[] | { moved: string }> {
  const { shards } = await readTopology(endpoint, deployment.seeds);
  const shard = shards.find((it) => slotsKey(it.slots) === slots);
  if (shard) return inOrder(shard).map((source) => ({ ...source, endpoint: at(endpoint, source.address) }));
  // A primary that is down is in no shard, and its slots went nowhere yet.
  if (notWhole(shards) === undefined) return { moved: `no shard has the slots ${slots} any more` };
  throw new RolloutError('NotCaughtUp', `nobody serves all of the slots ${slots} now`);
}

function inOrder({ primary, replicas }: ShardView): (Omit<ArchiveSource, 'endpoint'> & { address: string })[] {
  const best = chooseBackupSource(primary, replicas);
  const others = replicas.filter((it) => it !== best && it.replication?.link === 'up');
  others.sort((a, b) => b.offset - a.offset || a.address.localeCompare(b.address));
  const { release } = primary;
  return [...(best === primary ? [] : [best]), ...others, primary].map(({ address }) => ({
    ...{ address, release, role: address === primary.address ? 'primary' : 'replica' },
  }));
}
