import type { CutoverRecord } from '../model/evidence.js';
import type { NodePlace } from '../model/work.js';
import type { FallbackActivities } from '../model/fallback-work.js';
import { RolloutError } from '../model/failures.js';
import { clockHarm, clockOffFrom, clockText } from '../model/clocks.js';
import type { SlotRange } from '../model/topology.js';
import { readClock } from '../redis/clock.js';
import { isSilent } from '../redis/connection.js';
import { setExpiriesRight } from '../redis/follow/expiries.js';
import { getDirective, setDirective } from '../redis/node.js';
import { cutOver } from '../redis/standby/cut-over.js';
import { ExpiriesLate } from '../redis/standby/expiries-late.js';
import { ownLine } from '../redis/standby/cluster-file.js';
import { followKey } from '../redis/standby/point.js';
import { readAccounts } from '../redis/topology.js';
import { contextFor, fenceAll, heartbeating, platformNode, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { makeLasting } from './lasting-standby.js';
import { noteRoleChange } from './role-change.js';
import { mustHaveRoom } from './room-to-serve.js';
import { hasSlots } from './see-standbys.js';
import { needStandby, noteStandby, placeOfStandby, type StandbyEntry } from './standby-registry.js';
import { takeVoteTurn } from './vote-turn.js';
import { whereItIs } from './whereabouts.js';

/** How long every node may take to show the new owner: gossip reaches the last one with its next pings, ms. */
const CONFIRM_WITHIN_MS = 30_000;
/** It has no replicas when it begins to serve, and would refuse every write. It is removed before that would matter. */
const NEVER_SERVES_WITH = ['min-replicas-to-write', 'min-slaves-to-write'];

/**
 * No connection to the standby is closed for this attempt: its follower acts on it, and is to go on until the end. What an
 * attempt that was overtaken may still do there, the standby's script refuses by its clock and by the record.
 */
export const cutOverActivity =
  (dependencies: Dependencies): FallbackActivities['cutOver'] =>
  (input) =>
    heartbeating(async () => cutOverShard(await contextFor(dependencies, input), input));

/** Its follower may have to begin anew in between, as after a worker's death; one that does so again and again is ill. */
const ATTEMPTS = 5;
/** How long the follower may take until every key of a shard expires as its primary's does, ms. */
const EXPIRIES_WITHIN_MS = 30 * 60_000;

/**
 * A standby keeps every key for an hour longer, since what renews it may be on its way. Whoever is about to serve must not:
 * half of what policy.ttlTolerance allows is left of it.
 */
const marginOf = ({ deployment }: Context): number => Math.round(deployment.policy.ttlTolerance / 2);

async function expiresAsPrimary(
  context: Context,
  { primary, standby }: { primary: string; standby: string },
): Promise<void> {
  // An earlier attempt has cut over already, and its record went with it.
  if (await hasSlots(context, standby)) return;
  const slots = await slotsOf(context, [primary]);
  await using connection = await context.connect(standby);
  await setExpiriesRight({
    ...{ standby: connection, record: followKey(slots), slots, signal: context.signal },
    marginMs: marginOf(context),
    withinMs: EXPIRIES_WITHIN_MS,
  });
}

interface CuttingOver {
  shard: string;
  primary: string;
  standby: string;
}

/** As often as its follower has to begin anew in between. */
export async function cutOverShard(context: Context, input: CuttingOver): Promise<CutoverRecord> {
  for (let attempt = 1; ; attempt++) {
    await expiresAsPrimary(context, input);
    try {
      return await cutOverOnce(context, input);
    } catch (error) {
      if (!(error instanceof ExpiriesLate) || attempt === ATTEMPTS) throw error;
    }
  }
}

async function cutOverOnce(context: Context, { shard, primary, standby }: CuttingOver): Promise<CutoverRecord> {
  const { endpoint, deployment, signal } = context;
  const entry = await needStandby(context.deploymentFolder, shard);
  if (entry.address !== standby)
    throw new RolloutError('Stopped', `the standby of ${shard} is ${entry.address}, not ${standby}: start again`);
  await mustHaveRoom(context, entry);
  await makeLasting(context, entry, primary);
  const old = await whereItIs(context, primary);
  await fenceAll(context, [old]);
  // Here the standbys are members, and every node is to know this one; others of them may be down, as nodes may be.
  const whole = await readAccounts({ ...endpoint, standbys: [] }, [primary, ...deployment.seeds]);
  await mustServeStill(context, { shard, primary, standby });
  await mustTellItsTime(context, { primary, standby });
  const ranges = await slotsOf(context, [primary, standby]);
  const excused = whole.down?.addresses ?? [];
  const nodes = whole.memberAddresses.filter(
    (address) => !excused.includes(address) && endpoint.standbys?.includes(address) !== true,
  );
  const result = await cutOver({
    endpoint: { ...endpoint, standbys: [] },
    ...{ primary, standby, ranges, nodes, excused, signal },
    record: followKey(ranges),
    marginMs: marginOf(context),
    confirmWithinMs: CONFIRM_WITHIN_MS,
    takeTurn: () => takeVoteTurn(context.folder, signal),
    connectToAct: (address) => (address === primary ? context.connectToAct(old) : context.connect(address)),
    hasEnded: async () => (await context.platform.inspect(platformNode(old))).state === 'stopped',
  });
  await noteStandby(context.deploymentFolder, shard, { state: 'serving' });
  const place: NodePlace = placeOfStandby(entry);
  await fenceAll(context, [place]);
  await noteRoleChange(context, place);
  await serveAsPrimary(context, place, entry);
  const { at, gapMs, drainedMs, offset, already } = result;
  return {
    ...{ shard, from: primary, to: standby, at: new Date(at).toISOString() },
    ...{ gapMs, drainedMs, offset, already },
  };
}

/** Its replica may have taken over, and then the rest of the stream is to come from that. */
async function mustServeStill(
  context: Context,
  { shard, primary, standby }: { shard: string; primary: string; standby: string },
): Promise<void> {
  if (await hasSlots(context, standby)) return;
  if (await hasSlots(context, primary)) return;
  throw new RolloutError('HandoverFailed', `${primary} does not serve ${shard} any more: nothing was cut over`);
}

/** The gate has looked, and an attempt may come long after it: whoever serves expires keys by its own clock. */
async function mustTellItsTime(
  context: Context,
  { primary, standby }: { primary: string; standby: string },
): Promise<void> {
  if (await hasSlots(context, standby)) return;
  await using here = await context.connect(primary);
  await using there = await context.connect(standby);
  const off = clockOffFrom(
    { address: standby, clock: await readClock(there) },
    { address: primary, clock: await readClock(here) },
    context.deployment.policy.ttlTolerance,
  );
  if (off)
    throw new RolloutError(
      'HandoverFailed',
      `${primary} → ${standby}: ${clockText(off)}, and ${clockHarm(off)}; nothing was done, and ${primary} serves on. Set that machine's clock right`,
    );
}

/** Of whichever of the two has them: both answer before a cutover, and one of them may not after it. */
async function slotsOf(context: Context, addresses: readonly string[]): Promise<SlotRange[]> {
  for (const address of addresses) {
    const { ranges } = await ownLineOf(context, address);
    if (ranges.length > 0) return ranges;
  }
  throw new RolloutError('RolesUnsettled', `neither ${addresses.join(' nor ')} has slots: somebody else serves them`);
}

async function ownLineOf(context: Context, address: string): Promise<{ ranges: SlotRange[] }> {
  try {
    await using node = await context.connect(address);
    return ownLine(String(await node.call('CLUSTER', 'NODES')));
  } catch (error) {
    if (isSilent(error)) return { ranges: [] };
    throw error;
  }
}

/** What it ran otherwise while it served nobody: it runs as its shard's primary did now. */
async function serveAsPrimary(context: Context, place: NodePlace, { serveWith }: StandbyEntry): Promise<void> {
  await using node = await context.connectToAct(place);
  for (const [directive, value] of Object.entries(serveWith))
    if (!NEVER_SERVES_WITH.includes(directive) && (await getDirective(node, directive)) !== value)
      await setDirective(node, directive, value);
}
