import type { NodeView } from '../model/topology.js';
import { readInfo } from '../redis/node.js';
import { askStandby, isCopying } from '../redis/follow/record.js';
import { ownLine } from '../redis/standby/cluster-file.js';
import { followKey } from '../redis/standby/point.js';
import type { Context } from './context.js';
import type { StandbyEntry } from './standby-registry.js';

/**
 * Why no follower can bring a frozen standby up to its primary any more, whatever its entry says: it lost its record, which
 * it loses with its data, or its primary has nothing left that could be followed, and a copy of that would empty it.
 *
 * @returns undefined where it can, or where it can't be asked now
 */
export async function lossOf(
  { connect }: Pick<Context, 'connect'>,
  { address, state }: Pick<StandbyEntry, 'address' | 'state'>,
  primary: Pick<NodeView, 'address' | 'keys'> | undefined,
): Promise<string | undefined> {
  if (state !== 'frozen' || !primary || primary.address === address) return undefined;
  try {
    await using standby = await connect(address);
    await using upstream = await connect(primary.address);
    const { ranges } = ownLine(String(await upstream.call('CLUSTER', 'NODES')));
    const own = ownLine(String(await standby.call('CLUSTER', 'NODES')));
    if (ranges.length === 0 || own.ranges.length > 0) return undefined;
    const record = followKey(ranges);
    const [found] = await askStandby(standby, true, [['HGET', record, 'replid']]);
    if (!Buffer.isBuffer(found))
      return `it has no record of its follower (${record}), and so not what it was given either`;
    const { master_replid: now, master_replid2: before } = await readInfo(upstream, 'replication');
    // Of a history that it knows the primary may have been emptied by its clients, and the standby will be next.
    const replid = found.toString();
    if ([now, before].includes(replid) || isCopying({ replid })) return undefined;
    const held = keysOf(await readInfo(standby, 'keyspace'));
    // The record is a key, too.
    if (primary.keys === 0 && held > 1)
      return `${primary.address} is empty, and it holds ${held - 1} keys: it is not emptied for that. What it has may be the only copy`;
    return undefined;
  } catch {
    // The gate says that it doesn't answer, and its follower what else is wrong with it.
    return undefined;
  }
}

const keysOf = (info: Record<string, string>): number =>
  Object.values(info).reduce((sum, text) => sum + Number(/^keys=(\d+)/.exec(text)?.[1] ?? 0), 0);
