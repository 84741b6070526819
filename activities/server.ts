import { knownLine, olderLine } from '../model/compatibility/release-lines.js';
import { carryOver } from '../model/configuration.js';
import { RolloutError } from '../model/failures.js';
import { formatSize } from '../model/duration.js';
import type { NodePlace } from '../model/work.js';
import type { StartInput } from '../platforms/platform.js';
import { isSilent } from '../redis/connection.js';
import { releaseFromInfo } from '../redis/info.js';
import { connectWhenUp, noFailover, readInfo, shutDownReplica } from '../redis/node.js';
import { agreeOnShardIds } from '../redis/shard-ids.js';
import { readAccounts } from '../redis/topology.js';
import { backlogArguments } from './backlog.js';
import { SNAPSHOT, UNTRUSTED, type Before } from './before.js';
import { platformNode, type Context } from './context.js';
import { identityOfReplica } from './identity.js';
import { mustBeItself } from './own-folder.js';
import { inHome } from './places.js';

/** Arguments of a start: not promotable until released, and the dataset from the RDB, which knows the offset. */
export const outOfElection = ['--appendonly', 'no', `--${noFailover}`, 'yes'];

/** Configuration, logs, nodes.conf and our own notes are written with a start, and a server ends that can't write them. */
const ROOM_FOR_A_START_BYTES = 1024 * 1024;

/** Does the node run this release already, and answer? */
export async function runs(context: Context, place: NodePlace, release: string): Promise<boolean> {
  const { state } = await context.platform.inspect(platformNode(place));
  if (state !== 'running') return false;
  try {
    await using connection = await connectWhenUp(context.endpoint, place.address, {
      withinMs: 5000,
      signal: context.signal,
    });
    return releaseFromInfo(await readInfo(connection, 'server')) === release;
  } catch (error) {
    if (isSilent(error)) return false;
    throw error;
  }
}

/**
 * Ends what runs, and starts another release on the snapshot from before the swap, or on nothing where there is none.
 *
 * @returns what of the configuration had to be written otherwise to mean the same
 * @throws RolloutError NoSpace before anything was ended; StartFailed, MissingServer
 */
export async function startAnother(
  context: Context,
  place: NodePlace,
  before: Before,
  to: string,
): Promise<{ notes: string[] }> {
  await mustHaveRoom(context, place);
  await endProcess(context, place);
  const files = [place.datasetFile];
  if (before.snapshot) await context.platform.restore(platformNode(place), context.token, { label: SNAPSHOT, files });
  else await context.platform.setAside(platformNode(place), context.token, { label: UNTRUSTED, files });
  const { file, running, acl, release } = before;
  const carried = carryOver({ file, running, acl, from: release, to, cluster: true });
  await context.platform.start(platformNode(place), context.token, {
    release: to,
    configuration: carried.file,
    files: [
      ...(before.aclFile && carried.aclFile !== undefined
        ? [{ path: before.aclFile.path, text: carried.aclFile }]
        : []),
      ...(await readableNodes(context, place, to)),
    ],
    arguments: [...outOfElection, ...(await backlogArguments(context, place))],
  });
  await mustBeItself(context, place, before, to);
  return { notes: carried.notes };
}

/** Ends what runs, and starts the release of before, on its snapshot where there is one, with the settings of before. */
export async function startAsBefore(context: Context, place: NodePlace, before: Before): Promise<void> {
  await endProcess(context, place);
  const node = platformNode(place);
  if (before.snapshot)
    await context.platform.restore(node, context.token, {
      label: SNAPSHOT,
      files: [place.datasetFile, place.clusterFile],
    });
  const { path, text, former } = await identityOfReplica(context, place, before.release);
  const files = former === undefined ? await readableNodes(context, place, before.release) : [{ path, text }];
  await startWithSettings(context, place, before, { files, arguments: outOfElection });
}

/** Starts the release of before with the settings of before, on whatever dataset is there. */
export async function startWithSettings(
  context: Context,
  place: NodePlace,
  { release, file, running, acl, aclFile }: Before,
  extra: Required<Pick<StartInput, 'files' | 'arguments'>>,
): Promise<void> {
  await context.platform.start(platformNode(place), context.token, {
    release,
    // What ran, whatever the file says: it may have been set on the command line, or while it ran.
    configuration: carryOver({ file, running, acl, from: release, to: release, cluster: true }).file,
    files: [...(aclFile ? [aclFile] : []), ...extra.files],
    arguments: [...extra.arguments, ...(await backlogArguments(context, place))],
  });
}

/**
 * nodes.conf as the release can read it, now and whenever it is started again; nothing where it can as it is. To be asked
 * once the server has ended: it writes that file while it runs.
 */
async function readableNodes(
  { platform }: Context,
  place: NodePlace,
  release: string,
): Promise<{ path: string; text: string }[]> {
  if (knownLine(release)?.refusesTwoShardIds !== true) return [];
  const path = inHome(place, place.clusterFile);
  const text = await platform.readFile(platformNode(place), { path });
  const readable = text === undefined ? undefined : agreeOnShardIds(text);
  return readable === undefined || readable === text ? [] : [{ path, text: readable }];
}

/** A node that is ended and can't be started again is down: what a start writes must fit before anything is ended. */
async function mustHaveRoom({ platform }: Context, place: NodePlace): Promise<void> {
  if ((await platform.inspect(platformNode(place))).state === 'stopped') return;
  const { diskFree } = await platform.resources(platformNode(place));
  if (diskFree < ROOM_FOR_A_START_BYTES)
    throw new RolloutError(
      'NoSpace',
      `${place.address}: ${formatSize(diskFree)} free on the disk of ${place.home}, a start needs ${formatSize(ROOM_FOR_A_START_BYTES)}; it runs on as it is`,
    );
}

/** Ends a replica's process: by SHUTDOWN NOSAVE where it answers, else by the platform. A primary is never ended. */
export async function endProcess(context: Context, place: NodePlace): Promise<void> {
  const node = platformNode(place);
  const { state } = await context.platform.inspect(node);
  let terminate = state === 'hung';
  if (state === 'running')
    try {
      await using connection = await context.connectToAct(place);
      await shutDownReplica(connection);
    } catch (error) {
      if (!isSilent(error)) throw error;
      terminate = true;
    }
  if (terminate) await mustBeReplicaForOthers(context, place);
  await context.platform.stop(node, context.token, { terminate });
}

/** A hung node can't be asked for its role: the others are, and one that they take for a primary is not ended. */
async function mustBeReplicaForOthers({ endpoint, deployment }: Context, place: NodePlace): Promise<void> {
  const others = deployment.seeds.filter((seed) => seed !== place.address);
  const { accounts } = await readAccounts(endpoint, others.length > 0 ? others : deployment.seeds);
  for (const { node, peers } of accounts) {
    const seen = peers.find((peer) => peer.address === place.address);
    if (seen?.role === 'primary' && seen.slots.length > 0)
      throw new RolloutError(
        'Stopped',
        `${place.address} hangs, and ${node.address} sees it as a primary with slots: a primary is never ended`,
      );
  }
}

/** Is it a replica of a newer release? What it can't parse it drops, in silence. */
export async function followsNewer(context: Context, info: Record<string, string>, own: string): Promise<boolean> {
  if (info['role'] !== 'slave') return false;
  await using primary = await context.connect(`${info['master_host'] ?? ''}:${info['master_port'] ?? ''}`);
  return olderLine(own, releaseFromInfo(await readInfo(primary, 'server')));
}
