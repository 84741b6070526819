import { randomBytes } from 'node:crypto';
import { formatSize } from '../model/duration.js';
import { splitAddress } from '../model/endpoint.js';
import { RolloutError } from '../model/failures.js';
import type { SlotRange } from '../model/topology.js';
import { parseInfo } from '../redis/info.js';
import { backgroundSave, readInfo } from '../redis/node.js';
import { poll } from '../redis/roles.js';
import { clusterFile } from '../redis/standby/cluster-file.js';
import { freeze, readPoint } from '../redis/standby/freeze.js';
import { imports, markImporting } from '../redis/standby/importing.js';
import { introduce } from '../redis/standby/membership.js';
import type { FollowPoint } from '../redis/standby/point.js';
import { readAccounts } from '../redis/topology.js';
import { platformNode, type Context } from './context.js';
import { noteStandby, placeOfStandby, type StandbyEntry } from './standby-registry.js';
import { takeAway } from './standby-removal.js';
import { rememberEntry, startInputFor } from './standby-site.js';
import {
  connectForLong,
  loaded,
  mustBeOfItsRelease,
  ownership,
  standingOf,
  type Standing,
  type Step,
} from './standby-standing.js';
import { site, sync } from './standby-sync.js';

/** What is lost on the way is begun anew; a standby that dies again and again is not. */
const ROUNDS = 12;
const KNOWN_WITHIN_MS = 60_000;

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
    const standing = await standingOf(context, place, step);
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

/**
 * Whoever follows on from the freeze needs every byte since then, and the primary keeps as many as fit its backlog.
 *
 * @throws RolloutError NotCaughtUp where some are gone already, and with them the reason to wait any longer
 */
async function mustReachBack(context: Context, { replid, offset }: FollowPoint, primary: string): Promise<void> {
  await using upstream = await context.connect(primary);
  const info = await readInfo(upstream, 'replication');
  const first = Number(info['repl_backlog_first_byte_offset']);
  if (info['master_replid'] !== replid || first <= offset + 1) return;
  const missing = first - offset - 1;
  throw new RolloutError(
    'NotCaughtUp',
    `${primary} keeps ${formatSize(Number(info['repl_backlog_size']))} of its stream, ${formatSize(missing)} less than since its standby was frozen at ${offset}: raise repl-backlog-size, remove the standby and begin anew`,
  );
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
  if (entry.state === 'syncing') await mustReachBack(context, { replid, offset }, primary);
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

/** What it had can't be had again, but from a primary that still runs the release. */
async function beginAnew(context: Context, entry: StandbyEntry, step: Step): Promise<void> {
  await mustBeOfItsRelease(context, entry, step.primary);
  await takeAway(context, entry);
  await sync(context, step);
}
