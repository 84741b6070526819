import { olderLine } from '../model/compatibility/release-lines.js';
import { RolloutError } from '../model/failures.js';
import type { BroughtBack, NodePlace } from '../model/work.js';
import type { NodeAccount } from '../redis/account.js';
import { poll } from '../redis/roles.js';
import { readAccounts, readTopology } from '../redis/topology.js';
import { readBefore, settingsOf, writeBefore, type Before } from './before.js';
import { platformNode, type Context } from './context.js';
import { placeBeside } from './neighbours.js';
import { metByAll } from './identity.js';
import { startAnother, startAsBefore } from './server.js';

/** How long the cluster may take to see what was started, ms: gossip reaches the last node within its next pings. */
const SEEN_WITHIN_MS = 30_000;

/**
 * Starts the servers that an earlier operation left down, where it noted how; what can't be started says what to do by
 * hand. A node never follows a newer primary: it is started as its primary's release, on its snapshot from before the
 * handover or empty. One that others see as primary is not started: it could come back with less than its replicas have.
 */
export async function bringBack(context: Context, addresses: readonly string[]): Promise<BroughtBack[]> {
  const { accounts } = await readAccounts(context.endpoint, context.deployment.seeds);
  const found: BroughtBack[] = [];
  for (const address of addresses) found.push({ address, ...(await bringBackOne(context, accounts, address)) });
  const started = found.filter((it) => it.release !== undefined).map(({ address }) => address);
  if (started.length > 0)
    await poll(
      () => readTopology(context.endpoint, context.deployment.seeds),
      ({ disagreements }) => !disagreements.some((it) => started.some((address) => it.includes(address))),
      { everyMs: 100, withinMs: SEEN_WITHIN_MS, signal: context.signal },
    );
  return found;
}

async function bringBackOne(
  context: Context,
  accounts: readonly NodeAccount[],
  address: string,
): Promise<{ release: string } | { problem: string }> {
  const served = accounts.find(({ peers }) =>
    peers.some((peer) => peer.address === address && peer.role === 'primary' && peer.slots.length > 0),
  );
  if (served)
    return {
      problem: `${served.node.address} sees it as a primary with slots, so it is not started: it could come back with less than its replicas have. Promote a replica (CLUSTER FAILOVER TAKEOVER there), or start it by hand if its dataset is whole`,
    };
  const known = await whereItLives(context, accounts, address);
  if (!known)
    return {
      problem: 'no operation noted where it lives: start its server by hand, of its primary’s release or older',
    };
  const { place, primary } = known;
  const { state, pid } = await context.platform.inspect(platformNode(place));
  if (state !== 'stopped') {
    // An attempt whose reply was lost may have started it a moment ago.
    const release = await answering(context, address);
    if (release === undefined)
      return { problem: `pid ${pid ?? '?'} serves it and does not answer (${state}): look at it` };
    await metByAll(context, place, release);
    return { release };
  }
  try {
    const release = await startOnce(context, place, primary.node.release);
    await metByAll(context, place, release);
    return { release };
  } catch (error) {
    if (!(error instanceof RolloutError) || error.type === 'Fenced') throw error;
    return { problem: `it could not be started: ${error.message}` };
  }
}

/** What it runs, once it answers; undefined when it doesn't in time. */
async function answering({ endpoint, deployment, signal }: Context, address: string): Promise<string | undefined> {
  const find = async (): Promise<NodeAccount | undefined> =>
    (await readAccounts(endpoint, deployment.seeds)).accounts.find(({ node }) => node.address === address);
  const found = await poll(find, (it) => it !== undefined, { everyMs: 200, withinMs: SEEN_WITHIN_MS, signal });
  return found?.node.release;
}

/** Its place by a neighbour's note, and the primary that it follows now. */
async function whereItLives(
  context: Context,
  accounts: readonly NodeAccount[],
  address: string,
): Promise<{ place: NodePlace; primary: NodeAccount } | undefined> {
  for (const { node, peers } of accounts) {
    const place = await placeBeside(context, node.address, address);
    if (!place) continue;
    const id = node.role === 'primary' ? node.id : peers.find((peer) => peer.myself)?.primaryId;
    const primary = accounts.find((it) => it.node.id === id);
    if (primary) return { place, primary };
  }
  return undefined;
}

async function startOnce(context: Context, place: NodePlace, primaryRuns: string): Promise<string> {
  const before = await readBefore(context, place);
  if (!before)
    throw new RolloutError(
      'Stopped',
      `nothing is known of it as it was before: start its server by hand, of ${primaryRuns} or older`,
    );
  // Something is done to it now, so it is compared and given back anew.
  const { release, snapshot } = before;
  const left: Before = { ...settingsOf(before), snapshot };
  // One that was given back and died later ran what was started there last.
  const ran = before.released ? ((await context.platform.inspect(platformNode(place))).release ?? release) : release;
  await writeBefore(context, place, left);
  if (olderLine(release, primaryRuns) || ran !== release) {
    const to = olderLine(ran, primaryRuns) ? primaryRuns : ran;
    await startAnother(context, place, left, to);
    return to;
  }
  await startAsBefore(context, place, left);
  return release;
}
