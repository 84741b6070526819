import { RolloutError } from '../../model/failures.js';
import { slotCount, type SlotRange } from '../../model/topology.js';
import type { NodeConnection } from '../connection.js';
import { parseClusterNodes } from '../cluster-nodes.js';

/** So many slots are asked for in one write. */
const AT_ONCE = 2000;

/**
 * Has a standby import every slot of a shard from the shard's owner. To be done again whenever the owner changes: a slot
 * that is importing is not rebound by gossip (clusterUpdateSlotsConfigWith in cluster.c), so with the old owner's last slot
 * it is left without any, and is refused as not served.
 *
 * @throws RolloutError NotCaughtUp where the standby does not know the owner as a primary yet
 */
export async function markImporting({
  standby,
  ranges,
  owner,
}: {
  standby: NodeConnection;
  ranges: readonly SlotRange[];
  owner: string;
}): Promise<void> {
  const slots = ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, n) => from + n));
  for (let at = 0; at < slots.length; at += AT_ONCE) {
    const commands = slots.slice(at, at + AT_ONCE).flatMap((slot) => [
      ['CLUSTER', 'SETSLOT', slot, 'NODE', owner],
      ['CLUSTER', 'SETSLOT', slot, 'IMPORTING', owner],
    ]);
    const refused = (await standby.pipeline(commands)).find((reply) => reply instanceof Error);
    if (refused instanceof Error)
      throw new RolloutError(
        'NotCaughtUp',
        `${standby.address} can't import the slots of ${owner}: ${refused.message}`,
      );
  }
}

/** Are all slots of the ranges importing from the owner, as the standby says itself? */
export async function imports(
  standby: NodeConnection,
  { ranges, owner }: { ranges: readonly SlotRange[]; owner: string },
): Promise<boolean> {
  const lines = parseClusterNodes(String(await standby.call('CLUSTER', 'NODES')), '');
  const marked = lines.find(({ myself }) => myself)?.openSlots.filter((it) => it.endsWith(`-<-${owner}]`)) ?? [];
  const bound = lines.find(({ id }) => id === owner)?.slots ?? [];
  const numbers = new Set(marked.map((it) => Number(/\d+/.exec(it)?.[0])));
  const within = (slot: number): boolean => bound.some(([from, to]) => slot >= from && slot <= to);
  let all = 0;
  for (const [from, to] of ranges)
    for (let slot = from; slot <= to; slot++) if (numbers.has(slot) && within(slot)) all++;
  return all === slotCount(ranges);
}
