import { allNodes } from '../model/topology.js';
import type { NodePlace } from '../model/work.js';
import { isSilent } from '../redis/connection.js';
import { forgetEverywhere } from '../redis/standby/membership.js';
import { readAccounts } from '../redis/topology.js';
import { forgetOrigin } from './before.js';
import { fenceAll, platformNode, type Context } from './context.js';
import { forgetGhosts } from './identity.js';
import { placeOf } from './places.js';
import { putBack } from './put-back.js';
import { readNamed } from './shard-names.js';
import { forgetWhereItIs } from './whereabouts.js';
import { dropStandby, placeOfStandby, readRegistry, type StandbyEntry } from './standby-registry.js';

/** Forgotten by all, ended, its folder gone, and its entry last. Done where there is none. */
export async function takeAway(context: Context, entry: StandbyEntry): Promise<void> {
  const { nodeId, address } = entry;
  if (nodeId !== undefined) {
    const { memberAddresses } = await readAccounts(context.endpoint, context.deployment.seeds);
    const others = (await readRegistry(context.deploymentFolder)).filter(
      (it) => it.state === 'frozen' && it.address !== address,
    );
    // The other standbys know it too, and would tell of it once the ban is over.
    const members = [...new Set([...memberAddresses, ...others.map((it) => it.address)])];
    await forgetEverywhere({
      endpoint: context.endpoint,
      node: { id: nodeId, address },
      members: members.filter((it) => it !== address),
      signal: context.signal,
    });
    await forgetGhosts(context);
  }
  await context.platform.remove(platformNode(placeOfStandby(entry)), context.token);
  await dropStandby(context.deploymentFolder, entry.shard);
}

/**
 * Forgets how the shard's nodes were: from here on there is no going back. One that is away keeps its note, which is
 * overwritten when it is next upgraded.
 */
export async function forgetOrigins(context: Context, shard: string): Promise<void> {
  const { topology } = await readNamed(context);
  const places: NodePlace[] = [];
  for (const { address } of allNodes({ shards: topology.shards.filter(({ name }) => name === shard) }))
    try {
      await forgetWhereItIs(context, address);
      await using connection = await context.connect(address);
      const place = { ...(await placeOf(connection)), pending: false };
      await forgetOrigin(context, place);
      places.push(place);
    } catch (error) {
      if (!isSilent(error)) throw error;
    }
  // Where one was down as that was to be done, it is left to this.
  await fenceAll(context, places);
  await putBack(context, places);
}
