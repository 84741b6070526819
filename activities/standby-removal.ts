import { setTimeout as sleep } from 'node:timers/promises';
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
import { forgetWhereItIs, notedBeside } from './whereabouts.js';
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

/** What is slow for a moment, or starts again, is not away. */
const LOOKS = 3;
const BETWEEN_MS = 3000;

/**
 * Forgets how the shard's nodes were: from here on there is no going back. One that stays away keeps its note, which is
 * overwritten when it is next upgraded.
 */
export async function forgetOrigins(context: Context, shard: string): Promise<void> {
  const places: NodePlace[] = [];
  let left = await nodesOf(context, shard);
  for (let look = 1; left.length > 0 && look <= LOOKS; look++) {
    if (look > 1) await sleep(BETWEEN_MS, undefined, { signal: context.signal });
    const silent: string[] = [];
    for (const address of left)
      try {
        await using connection = await context.connect(address);
        const place = { ...(await placeOf(connection)), pending: false };
        await forgetOrigin(context, place);
        places.push(place);
        await forgetWhereItIs(context, address);
      } catch (error) {
        if (!isSilent(error)) throw error;
        silent.push(address);
      }
    left = silent;
  }
  // Where one was down as that was to be done, it is left to this.
  await fenceAll(context, places);
  await putBack(context, places);
}

/** Those that answer, and the members that were beside them as its upgrade began. */
async function nodesOf(context: Context, shard: string): Promise<string[]> {
  const { topology, memberAddresses } = await readNamed(context);
  const there = allNodes({ shards: topology.shards.filter(({ name }) => name === shard) }).map((it) => it.address);
  const beside = (await Promise.all(there.map((address) => notedBeside(context, address)))).flat();
  return [...new Set([...there, ...beside.filter((it) => memberAddresses.includes(it))])];
}
