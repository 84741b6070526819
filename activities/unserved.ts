import { setTimeout as sleep } from 'node:timers/promises';
import { formatDuration, formatSize } from '../model/duration.js';
import { RolloutError } from '../model/failures.js';
import { satisfies } from '../model/release.js';
import { formatSlots, type PeerView } from '../model/topology.js';
import type { Accounts } from '../redis/topology.js';
import type { Context } from './context.js';
import { readFollow } from './see-standbys.js';
import { readNamed } from './shard-names.js';
import { readRegistry } from './standby-registry.js';

/** An election takes a node timeout to begin, and four more where the first is lost; never waited for less than this, ms. */
const TAKEN_OVER_WITHIN_MS = 30_000;
const NODE_TIMEOUTS = 6;

/**
 * The cluster, once somebody that answers serves every slot. Where a primary is away its replicas may be about to take over;
 * where none does, what it acknowledged last is at it alone, and nothing here may decide to do without.
 *
 * @param shards that are asked for, where not all are
 * @throws RolloutError Stopped, naming who serves nothing any more, and what may be done
 */
export async function readServed(context: Context, shards: readonly string[] = []): Promise<Accounts> {
  const begun = performance.now();
  for (;;) {
    context.signal.throwIfAborted();
    const found = await readNamed(context);
    const [gone] = silentOwners(found);
    const all = shards.every((name) => found.topology.shards.some((it) => it.name === name));
    if (!gone || (shards.length > 0 && all)) return found;
    const waitedMs = performance.now() - begun;
    if (waitedMs > Math.max(TAKEN_OVER_WITHIN_MS, NODE_TIMEOUTS * found.topology.nodeTimeoutMs))
      throw new RolloutError('Stopped', await statement(context, found, gone, waitedMs));
    await sleep(500);
  }
}

/** Primaries that can't be read, and that somebody still sees slots at; nobody who can be read has these. */
function silentOwners({ accounts }: Accounts): PeerView[] {
  const read = new Set(accounts.map(({ node }) => node.id));
  const served = new Set(
    accounts.flatMap(({ peers }) => peers.filter((it) => it.myself).flatMap(({ slots }) => slots.map(String))),
  );
  const silent = accounts
    .flatMap(({ peers }) => peers)
    .filter(({ id, slots }) => !read.has(id) && slots.length > 0 && !slots.every((range) => served.has(String(range))));
  return [...new Map(silent.map((peer) => [peer.id, peer])).values()];
}

async function statement(
  context: Context,
  { accounts }: Accounts,
  { id, address, slots }: PeerView,
  waitedMs: number,
): Promise<string> {
  const replicas = accounts.filter(({ peers }) => peers.some((peer) => peer.myself && peer.primaryId === id));
  const standbys = await readRegistry(context.deploymentFolder);
  const states = await Promise.all(standbys.map(({ shard }) => readFollow(context.deploymentFolder, shard)));
  const follow = states.find((it) => it?.primary === address);
  // An older replica of a newer primary has dropped what it could not parse: nobody is told to promote that.
  const older = standbys.map(({ release }) => release);
  const able = replicas.filter(({ node }) => !older.some((release) => satisfies(node.release, release)));
  return [
    `${address} serves slots ${formatSlots(slots)} and does not answer, and nobody has taken over from it within ${formatDuration(Math.round(waitedMs))}.`,
    'What it acknowledged last may be at it alone, so nothing was cut over.',
    follow
      ? `The standby ${follow.standby} had all but ${formatSize(follow.lagBytes)} of its stream at ${new Date(follow.at).toISOString()}.`
      : '',
    `Start its server again on its own dataset, or wake it, and start the fallback anew${able.length === 0 ? '' : `; or promote ${able.map(({ node }) => node.address).join(' or ')} (CLUSTER FAILOVER TAKEOVER there), which gives up what had not reached it`}.`,
  ]
    .filter((it) => it !== '')
    .join(' ');
}
