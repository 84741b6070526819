import { randomBytes } from 'node:crypto';
import { lineOf } from '../model/compatibility/release-lines.js';
import { splitAddress } from '../model/endpoint.js';
import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import { at, connect, type NodeConnection } from '../redis/connection.js';
import { parseInfo, releaseFromInfo } from '../redis/info.js';
import { backgroundSave, connectWhenUp, readInfo } from '../redis/node.js';
import { poll } from '../redis/roles.js';
import { clusterFile, ownLine } from '../redis/standby/cluster-file.js';
import { freeze, readPoint } from '../redis/standby/freeze.js';
import { imports, markImporting } from '../redis/standby/importing.js';
import { forgetEverywhere, introduce } from '../redis/standby/membership.js';
import { followKey, type FollowPoint } from '../redis/standby/point.js';
import { readAccounts } from '../redis/topology.js';
import type { SlotRange } from '../model/topology.js';
import { openToAct } from './acting.js';
import { fenceAll, platformNode, type Context } from './context.js';
import { rejoin, syncBaseline } from './rejoin.js';
import { mustRun } from './running.js';
import { dropStandby, noteStandby, placeOfStandby, readRegistry, type StandbyEntry } from './standby-registry.js';
import {
  mustBePrimary,
  rememberBase,
  rememberEntry,
  replicationAddress,
  siteStandby,
  startInputFor,
} from './standby-site.js';

export interface Step {
  shard: string;
  /** Who serves the shard now. */
  primary: string;
  tell: (progress: unknown) => void;
}

/** `replica` and `alone`, outside of the cluster; `member`, in it. */
type Standing = 'stopped' | 'replica' | 'alone' | 'member';

/** The longest that one command may take: going through all keys, of a server that does nothing else. */
const LONGEST_CALL_MS = 3_600_000;
/** What is lost on the way is begun anew; a standby that dies again and again is not. */
const ROUNDS = 12;
const KNOWN_WITHIN_MS = 60_000;

/** Makes the shard's standby where there is none, and has it follow the primary until it has all. */
export async function sync(context: Context, step: Step): Promise<StandbyEntry> {
  const entry = await site(context, step);
  if (entry.state !== 'syncing') return entry;
  const place = placeOfStandby(entry);
  const standing = await standingOf(context, place);
  if (standing !== 'replica' && standing !== 'stopped' && entry.replid !== undefined) return entry;
  await mustBeOfItsRelease(context, entry, step.primary);
  await using upstream = await context.connect(step.primary);
  mustBePrimary(step.primary, await readInfo(upstream, 'replication'));
  const baseline = await syncBaseline(upstream);
  if (standing === 'alone' || standing === 'member')
    await context.platform.stop(platformNode(place), context.token, { terminate: true });
  if (standing !== 'replica') {
    const input = await startInputFor(context, entry, { primary: step.primary, as: 'replica' });
    await context.platform.create(platformNode(place), context.token, input);
  }
  await fenceAll(context, [place]);
  await rememberEntry(context, step.shard);
  await rememberBase(context, entry, step.primary);
  await follow(context, place, upstream);
  await rejoin(context, { place, primary: step.primary, baseline, shard: step.shard, tell: step.tell });
  return entry;
}

/** Of one that nobody knew of any more, what it has is of an earlier operation: where it can be had anew, it is. */
async function site(context: Context, step: Step): Promise<StandbyEntry> {
  const { entry, leftBehind } = await siteStandby(context, step);
  if (!leftBehind || !(await isOfItsRelease(context, entry, step.primary))) return entry;
  await takeAway(context, entry);
  return (await siteStandby(context, step)).entry;
}

/** A primary may have been failed over since it was begun. */
async function follow(context: Context, place: NodePlace, upstream: NodeConnection): Promise<void> {
  (await whenUp(context, place)).close();
  await using acting = await context.connectToAct(place);
  const info = await readInfo(acting, 'replication');
  const { host, port } = await replicationAddress(upstream);
  if (info['master_host'] === host && Number(info['master_port']) === port) return;
  await acting.call('REPLICAOF', host, port);
}

/**
 * Freezes the shard's standby, from wherever an earlier attempt got to: followed, frozen, saved, started as a member, known
 * to all. Each turn looks at the world and goes one step.
 *
 * @throws RolloutError StandbyLost where what it had is gone and the primary runs another release by now
 */
export async function freezeNow(context: Context, step: Step): Promise<{ entry: StandbyEntry; point: FollowPoint }> {
  for (let round = 0; round < ROUNDS; round++) {
    context.signal.throwIfAborted();
    const entry = await site(context, step);
    const place = placeOfStandby(entry);
    const standing = await standingOf(context, place);
    step.tell({ standby: entry.address, standing });
    if (standing === 'replica' || (standing === 'stopped' && entry.replid === undefined)) {
      await freezeReplica(context, await sync(context, step), step);
    } else if (standing === 'stopped') await startAsMember(context, entry, step);
    else if (!(await isFrozen(context, entry, step, standing))) await beginAnew(context, entry, step);
    else if (standing === 'alone') await putDown(context, entry, step);
    else return join(context, entry, step);
  }
  throw new RolloutError('StandbyLost', `the standby of ${step.shard} did not come to be frozen in ${ROUNDS} turns`);
}

async function freezeReplica(context: Context, { nodeId, ...entry }: StandbyEntry, step: Step): Promise<void> {
  const standby = nodeId ?? randomBytes(20).toString('hex');
  await noteStandby(context.deploymentFolder, step.shard, { nodeId: standby });
  const { key } = await ownership(context, step.primary);
  await using acting = await connectForLong(context, placeOfStandby({ ...entry, nodeId: standby }));
  const point = await freeze(acting, { endpoint: context.endpoint, key, standby });
  await notePoint(context, step, point);
}

/** Does its data say that it is this shard's standby, and how far it came? */
async function isFrozen(context: Context, entry: StandbyEntry, step: Step, standing: Standing): Promise<boolean> {
  if (entry.nodeId === undefined) return false;
  const { key, owner, ranges } = await ownership(context, step.primary);
  await using connection = await loaded(context, placeOfStandby(entry), step);
  if (standing === 'alone') {
    const point = await readPoint(connection, { key, standby: entry.nodeId });
    if (point && entry.replid === undefined) await notePoint(context, step, point);
    return point !== undefined;
  }
  await importFrom(context, entry, { owner, ranges });
  // A member answers for no key before its cluster is up, which takes two seconds.
  await poll(
    async () => parseInfo(String(await connection.call('CLUSTER', 'INFO')))['cluster_state'],
    (state) => state === 'ok',
    { everyMs: 50, withinMs: KNOWN_WITHIN_MS, signal: context.signal },
  );
  const [, fields] = await connection.pipeline([['ASKING'], ['HMGET', key, 'standby', 'offset']]);
  if (fields instanceof Error) throw new RolloutError('RolesUnsettled', `${entry.address}: ${fields.message}`);
  const [standby, offset] = fields as (string | null)[];
  return standby === entry.nodeId && Number(offset) >= (entry.offset ?? 0);
}

async function notePoint(context: Context, { shard }: Step, point: FollowPoint): Promise<void> {
  await noteStandby(context.deploymentFolder, shard, point);
  await rememberEntry(context, shard);
}

/** Its dataset on disk, and its process ended: what it is started with next is another configuration. */
async function putDown(context: Context, entry: StandbyEntry, { tell }: Step): Promise<void> {
  const place = placeOfStandby(entry);
  {
    await using acting = await context.connectToAct(place);
    await backgroundSave(acting, {
      onProgress: () => tell({ standby: entry.address, saving: true }),
      signal: context.signal,
    });
    await acting.call('SHUTDOWN', 'NOSAVE').catch(() => {
      // It ends without an answer; where it doesn't, the platform ends it.
    });
  }
  await context.platform.stop(platformNode(place), context.token, { terminate: true });
}

async function startAsMember(context: Context, entry: StandbyEntry, { primary }: Step): Promise<void> {
  const { nodes, host } = await ownership(context, primary);
  const { port } = splitAddress(entry.address);
  const file = clusterFile({
    ...{ nodes, primaryHost: host, release: entry.release },
    self: { id: entry.nodeId ?? '', host, port, busPort: port + 10_000 },
  });
  const input = await startInputFor(context, entry, { primary, as: 'member' });
  await context.platform.start(platformNode(placeOfStandby(entry)), context.token, {
    ...input,
    files: [...(input.files ?? []), { path: `${entry.home}/${entry.clusterFile}`, text: file.text }],
  });
}

async function join(
  context: Context,
  entry: StandbyEntry,
  step: Step,
): Promise<{ entry: StandbyEntry; point: FollowPoint }> {
  const { shard, primary } = step;
  const { nodeId, replid, offset, address } = entry;
  if (nodeId === undefined || replid === undefined || offset === undefined)
    throw new RolloutError('StandbyLost', `${address} is frozen, and nobody noted where`);
  const { memberAddresses } = await readAccounts(context.endpoint, context.deployment.seeds);
  await introduce({
    endpoint: context.endpoint,
    node: { id: nodeId, address },
    members: memberAddresses,
    signal: context.signal,
  });
  await importFrom(context, entry, await ownership(context, primary));
  await poll(
    async () => (await readAccounts(context.endpoint, context.deployment.seeds)).accounts,
    (accounts) => new Set(accounts.map(({ currentEpoch }) => currentEpoch)).size === 1,
    { everyMs: 200, withinMs: KNOWN_WITHIN_MS, signal: context.signal },
  );
  await noteStandby(context.deploymentFolder, shard, { state: 'frozen' });
  await rememberEntry(context, shard);
  return { entry, point: { replid, offset } };
}

async function importFrom(
  context: Context,
  entry: StandbyEntry,
  whose: { owner: string; ranges: SlotRange[] },
): Promise<void> {
  await using acting = await context.connectToAct(placeOfStandby(entry));
  if (!(await imports(acting, whose))) await markImporting({ standby: acting, ...whose });
}

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
  }
  await context.platform.remove(platformNode(placeOfStandby(entry)), context.token);
  await dropStandby(context.deploymentFolder, entry.shard);
}

/** What it had can't be had again, but from a primary that still runs the release. */
async function beginAnew(context: Context, entry: StandbyEntry, step: Step): Promise<void> {
  await mustBeOfItsRelease(context, entry, step.primary);
  await takeAway(context, entry);
  await sync(context, step);
}

async function mustBeOfItsRelease(context: Context, entry: StandbyEntry, primary: string): Promise<void> {
  if (await isOfItsRelease(context, entry, primary)) return;
  throw new RolloutError(
    'StandbyLost',
    `${entry.address}, the standby of ${entry.shard} (${entry.release}), is not frozen any more, and ${primary} runs another release, from which it can't sync`,
  );
}

async function isOfItsRelease(context: Context, entry: StandbyEntry, primary: string): Promise<boolean> {
  await using upstream = await context.connect(primary);
  return lineOf(releaseFromInfo(await readInfo(upstream, 'server'))) === lineOf(entry.release);
}

async function standingOf(context: Context, place: NodePlace): Promise<Standing> {
  const made = await context.platform.inspect(platformNode(place)).catch((error: unknown) => {
    // Its folder is not there yet.
    if (error instanceof RolloutError && error.type === 'BadInput') return undefined;
    throw error;
  });
  if (made === undefined || made.state === 'stopped') return 'stopped';
  await fenceAll(context, [place]);
  await using connection = await whenUp(context, place);
  const info = await readInfo(connection);
  if (info['cluster_enabled'] === '1') return 'member';
  return info['role'] === 'slave' ? 'replica' : 'alone';
}

const whenUp = (context: Context, place: NodePlace): Promise<NodeConnection> =>
  connectWhenUp(context.endpoint, place.address, {
    withinMs: 30_000,
    onMiss: () => mustRun(context, place),
    signal: context.signal,
  });

/** Connected, once its dataset is in memory. */
async function loaded(context: Context, place: NodePlace, { tell }: Step): Promise<NodeConnection> {
  const connection = await whenUp(context, place);
  try {
    await poll(
      async () => {
        const info = await readInfo(connection, 'persistence');
        tell({ standby: place.address, loadedBytes: Number(info['loading_loaded_bytes'] ?? 0) });
        return info['loading'];
      },
      (loading) => loading === '0',
      { everyMs: 100, withinMs: LONGEST_CALL_MS, signal: context.signal },
    );
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

const connectForLong = (context: Context, place: NodePlace): Promise<NodeConnection> =>
  openToAct(
    context.token,
    () => connect(at(context.endpoint, place.address), { timeoutMs: LONGEST_CALL_MS }),
    () => context.platform.fence(platformNode(place), context.token),
  );

/** Whose the slots are that the standby is for, as their owner says. */
async function ownership(
  context: Context,
  primary: string,
): Promise<{ nodes: string; host: string; owner: string; ranges: SlotRange[]; key: string }> {
  await using upstream = await context.connect(primary);
  const nodes = String(await upstream.call('CLUSTER', 'NODES'));
  const own = ownLine(nodes);
  return { nodes, host: splitAddress(primary).host, ...own, key: followKey(own.ranges) };
}
