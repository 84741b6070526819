import type { NodeView } from '../model/topology.js';
import { cameBackEmpty } from '../redis/follow/came-back-empty.js';
import { askStandby, isCopying } from '../redis/follow/record.js';
import { ownLine } from '../redis/standby/cluster-file.js';
import { followKey } from '../redis/standby/point.js';
import type { Context } from './context.js';
import { goneText, isGone } from './standby-folder.js';
import type { StandbyEntry } from './standby-registry.js';

/**
 * Why no follower can bring a frozen standby up to its primary any more, whatever its entry says: it lost its record, which
 * it loses with its data, its folder is gone, or its primary has nothing left that could be followed, and a copy of that would empty it.
 *
 * @returns undefined where it can, or where it can't be asked now
 */
export async function lossOf(
  context: Pick<Context, 'connect' | 'platform'>,
  entry: StandbyEntry,
  primary: Pick<NodeView, 'address'> | undefined,
): Promise<string | undefined> {
  const { connect } = context;
  const { address, state } = entry;
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
    const replid = found.toString();
    const held = isCopying({ replid }) ? undefined : await cameBackEmpty(upstream, standby, replid);
    if (held !== undefined)
      return `${primary.address} is empty, and it holds ${held - 1} keys: it is not emptied for that. What it has may be the only copy`;
    return undefined;
  } catch {
    // The gate says that it doesn't answer, and its follower what else is wrong with it.
    const gone = await isGone(context, entry).catch(() => false);
    return gone ? goneText(entry) : undefined;
  }
}
