import { RolloutError } from '../model/failures.js';
import type { ShardView } from '../model/topology.js';
import { awayAmong, type Accounts } from '../redis/topology.js';
import type { Context } from './context.js';
import { notedBeside } from './whereabouts.js';

/**
 * Who of a shard can't be read. A replica is of its primary's shard by what the others see; a primary that was replaced
 * while it was down is of none by that, and known by the nodes that it was noted beside.
 *
 * @throws RolloutError Stopped for one that may be of this shard or of another: nobody noted it
 */
export async function awayOf(context: Context, found: Accounts, { primary, replicas }: ShardView): Promise<string[]> {
  const { accounts, topology } = found;
  const present = new Set([primary, ...replicas].map(({ address }) => address));
  const lines = accounts.find(({ node }) => node.id === primary.id)?.peers ?? [];
  const away = new Set(awayAmong(found));
  const own: string[] = [];
  for (const { address, primaryId, slots } of lines.filter((it) => away.has(it.address))) {
    if (slots.length > 0) continue;
    const beside = await notedBeside(context, address);
    if (primaryId === primary.id || beside.some((it) => present.has(it)) || topology.shards.length === 1)
      own.push(address);
    else if (beside.length === 0 && !topology.shards.some((it) => it.primary.id === primaryId))
      throw new RolloutError(
        'Stopped',
        `${address} can't be read, and nobody noted of which shard it was: bring it back, or have every node forget it (CLUSTER FORGET)`,
      );
  }
  return own;
}
