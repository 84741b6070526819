import { isAbsolute, join } from 'node:path';
import { carryOver, compareConfiguration } from '../model/configuration.js';
import { olderLine } from '../model/compatibility/release-lines.js';
import { RolloutError } from '../model/failures.js';
import type { ConfigurationDifference } from '../model/evidence.js';
import type { NodeActivities, NodePlace, Order, SyncBaseline } from '../model/work.js';
import type { NodeConnection } from '../redis/connection.js';
import { readConfiguration } from '../redis/configuration.js';
import { releaseFromInfo } from '../redis/info.js';
import {
  backgroundSave,
  connectWhenUp,
  getDirective,
  noFailover,
  readInfo,
  setDirective,
  shutDownReplica,
} from '../redis/node.js';
import { BACKLOG_SIZE, backlogArguments, grownBacklog, growBacklog, putBackBacklog } from './backlog.js';
import { readAccounts } from '../redis/topology.js';
import { forgetBefore, readBefore, SNAPSHOT, UNTRUSTED, writeBefore, type Before } from './before.js';
import { contextFor, fenceAll, heartbeating, platformNode, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { placeOf } from './places.js';
import { rejoin } from './rejoin.js';
import { whileItRuns } from './running.js';
import { verifyNode } from './verify.js';

/** Arguments of a start: not promotable until released, and the dataset from the RDB, which knows the offset. */
const outOfElection = ['--appendonly', 'no', `--${noFailover}`, 'yes'];

/** The steps of one node. Each looks at the world first, and does only what is still missing. */
export function nodeActivities(dependencies: Dependencies): NodeActivities {
  const inContext =
    <Input extends Order & { place?: NodePlace; places?: NodePlace[] }, Output>(
      act: (context: Context, input: Input) => Promise<Output>,
    ) =>
    (input: Input): Promise<Output> =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        await fenceAll(context, input.place === undefined ? (input.places ?? []) : [input.place]);
        return act(context, input);
      });

  return {
    prepareShard: inContext(async (context, { nodes, backlogBytes }) =>
      Promise.all(
        nodes.map(async (address) => {
          await using connection = await context.connect(address);
          const found = { ...(await placeOf(connection)), pending: false };
          await context.platform.fence(platformNode(found), context.token);
          if (backlogBytes !== undefined) await growBacklog(context, connection, found, backlogBytes);
          const before = await readBefore(context, found);
          return {
            ...found,
            release: before && !before.released ? before.release : found.release,
            pending: before !== undefined && !before.released,
          };
        }),
      ),
    ),

    putBackShard: inContext(async (context, { places }) => {
      const left = await Promise.all(places.map((place) => putBackNode(context, place)));
      // A node that still has to come back needs every byte that the others have kept for it.
      if (!left.includes('unfinished')) await Promise.all(places.map((place) => putBackBacklog(context, place)));
    }),

    isolate: inContext(async (context, { place, primary }) => {
      await using connection = await context.connect(place.address);
      await rememberBefore(context, connection, place);
      await setDirective(connection, noFailover, 'yes');
      await using upstream = await context.connect(primary);
      return { baseline: await syncBaseline(upstream), readers: await countReaders(connection) };
    }),

    snapshot: inContext(async (context, { place }) => {
      const before = await needBefore(context, place);
      await using connection = await context.connect(place.address);
      const info = await readInfo(connection);
      const bytes = Number(info['used_memory_dataset'] ?? 0);
      if (releaseFromInfo(info) !== before.release) return { bytes, taken: before.snapshot };
      if (await followsNewer(context, info, before.release)) return { bytes, taken: before.snapshot };
      // Whatever it saved by itself later on could be missing what a newer primary sends.
      await setDirective(connection, 'save', '');
      await backgroundSave(connection, { signal: context.signal });
      await context.platform.keep(platformNode(place), context.token, {
        label: SNAPSHOT,
        files: [place.datasetFile, place.clusterFile],
      });
      await writeBefore(context, place, { ...before, snapshot: true });
      return { bytes, taken: true };
    }),

    swapVersion: inContext(async (context, { place, to }) => {
      const before = await needBefore(context, place);
      if (await runs(context, place, to)) return { release: to, notes: [] };
      await endProcess(context, place);
      const files = [place.datasetFile];
      if (before.snapshot)
        await context.platform.restore(platformNode(place), context.token, { label: SNAPSHOT, files });
      else await context.platform.setAside(platformNode(place), context.token, { label: UNTRUSTED, files });
      const carried = carryOver({
        file: before.file,
        running: before.running,
        acl: before.acl,
        from: before.release,
        to,
        cluster: true,
      });
      await context.platform.start(platformNode(place), context.token, {
        release: to,
        configuration: carried.file,
        files:
          before.aclFile && carried.aclFile !== undefined ? [{ path: before.aclFile.path, text: carried.aclFile }] : [],
        arguments: [...outOfElection, ...(await backlogArguments(context, place))],
      });
      return { release: to, notes: carried.notes };
    }),

    rejoin: inContext((context, input) => whileItRuns(context, input.place, () => rejoin(context, input))),

    verifyNode: (input) =>
      heartbeating(async (progress) => {
        const context = await contextFor(dependencies, input);
        return whileItRuns(context, input.place, () => verifyNode(context, input, progress));
      }),

    release: inContext((context, { place }) => giveBack(context, place)),

    revert: inContext(async (context, { place, primary }) => {
      const before = await readBefore(context, place);
      // It is written before anything is done to the node.
      if (!before) return { release: place.release };
      await using upstream = await context.connect(primary);
      const running = releaseFromInfo(await readInfo(upstream, 'server'));
      if (olderLine(before.release, running))
        throw new RolloutError(
          'Stopped',
          `${primary} runs ${running}: a node of ${before.release} may not follow it (it would empty itself, or drop what it can't parse)`,
        );
      const baseline = await syncBaseline(upstream);
      if (!(await runs(context, place, before.release))) {
        await endProcess(context, place);
        if (before.snapshot)
          await context.platform.restore(platformNode(place), context.token, {
            label: SNAPSHOT,
            files: [place.datasetFile, place.clusterFile],
          });
        // What ran, whatever the file says: it may have been set on the command line, or while it ran.
        const { running: own, acl, file, release } = before;
        await context.platform.start(platformNode(place), context.token, {
          release,
          configuration: carryOver({ file, running: own, acl, from: release, to: release, cluster: true }).file,
          files: before.aclFile ? [before.aclFile] : [],
          arguments: [...outOfElection, ...(await backlogArguments(context, place))],
        });
      }
      await rejoin(context, { place, primary, baseline, shard: '' });
      await using connection = await context.connect(place.address);
      await putBackRunning(connection, before);
      await writeBefore(context, place, { ...before, released: [] });
      return { release: before.release };
    }),
  };
}

/** Directives that an operation changes on a node and puts back: their own values are those of the first look. */
const ours = [noFailover, 'save', 'appendonly'];

/**
 * Notes the node as it is before it is touched. A note that an earlier operation left is brought up to date while the node
 * still runs what it ran then (a password may have been changed since); of what we changed ourselves the note knows best.
 */
async function rememberBefore(context: Context, connection: NodeConnection, place: NodePlace): Promise<void> {
  const left = await readBefore(context, place);
  const known = left?.released ? undefined : left;
  const release = releaseFromInfo(await readInfo(connection, 'server'));
  if (known && known.release !== release) return;
  const { running, acl } = await readConfiguration(connection);
  const backlog = await grownBacklog(context, place);
  if (backlog) running[BACKLOG_SIZE] = backlog.original;
  for (const directive of ours)
    if (known?.running[directive] !== undefined) running[directive] = known.running[directive];
  const file = await context.platform.readConfiguration(platformNode(place));
  const aclFile = await readAclFile(context, place, running['aclfile'] ?? '');
  const snapshot = known?.snapshot ?? false;
  await writeBefore(context, place, { release, file, running, acl, snapshot, ...(aclFile ? { aclFile } : {}) });
}

async function readAclFile(context: Context, place: NodePlace, name: string): Promise<Before['aclFile']> {
  if (name === '') return undefined;
  const path = isAbsolute(name) ? name : join(place.home, name);
  return { path, text: (await context.platform.readFile(platformNode(place), { path })) ?? '' };
}

async function needBefore(context: Context, place: NodePlace): Promise<Before> {
  const before = await readBefore(context, place);
  if (!before)
    throw new RolloutError(
      'Stopped',
      `nothing is known of ${place.address} as it was before: its folder ${place.home} was changed by somebody else`,
    );
  return before;
}

/** Puts a node's own settings back, and compares its configuration with what it was. */
async function giveBack(context: Context, place: NodePlace): Promise<ConfigurationDifference[]> {
  const before = await needBefore(context, place);
  if (before.released) return before.released;
  await using connection = await context.connect(place.address);
  const info = await readInfo(connection);
  const release = releaseFromInfo(info);
  if (await followsNewer(context, info, release))
    throw new RolloutError(
      'Stopped',
      `${place.address} runs ${release} and follows a newer primary, ${info['master_host'] ?? ''}:${info['master_port'] ?? ''}: it is kept from being promoted, and upgraded by the next start`,
    );
  for (const directive of [noFailover, 'save']) {
    const value = before.running[directive];
    if (value !== undefined && (await getDirective(connection, directive)) !== value)
      await setDirective(connection, directive, value);
  }
  // The file that it had was not trusted and is set aside: its own goes in its place.
  if (release !== before.release && !before.snapshot) await backgroundSave(connection, { signal: context.signal });
  const after = await readConfiguration(connection);
  const differences =
    release === before.release
      ? []
      : compareConfiguration({
          node: place.address,
          before: before.running,
          after: after.running,
          aclBefore: before.acl,
          aclAfter: after.acl,
          from: before.release,
          to: release,
          ignore: (await grownBacklog(context, place)) ? [BACKLOG_SIZE] : [],
        });
  await writeBefore(context, place, { ...before, released: differences });
  return differences;
}

/** What is known of a node that is away, or was never released, stays: the next operation needs it. */
async function putBackNode(context: Context, place: NodePlace): Promise<'done' | 'unfinished'> {
  const before = await readBefore(context, place);
  if (before && !before.released) {
    if (!(await stillServesAsBefore(context, place, before))) return 'unfinished';
    await giveBack(context, place);
  }
  await forgetBefore(context, place);
  return 'done';
}

/** An isolated node that nothing came of may be promoted again; a swapped one that was not compared may not. */
async function stillServesAsBefore(context: Context, place: NodePlace, before: Before): Promise<boolean> {
  try {
    await using connection = await context.connect(place.address);
    const info = await readInfo(connection);
    const release = releaseFromInfo(info);
    return release === before.release && !(await followsNewer(context, info, release));
  } catch (error) {
    if (error instanceof RolloutError && (error.type === 'Unreachable' || error.type === 'NodeHung')) return false;
    throw error;
  }
}

async function syncBaseline(primary: NodeConnection): Promise<SyncBaseline> {
  const info = await readInfo(primary);
  return {
    runId: info['run_id'] ?? '',
    full: Number(info['sync_full'] ?? 0),
    partial: Number(info['sync_partial_ok'] ?? 0),
  };
}

/** Clients that sent READONLY (flag `r`): they read from this replica. */
async function countReaders(connection: NodeConnection): Promise<number> {
  const list = String(await connection.call('CLIENT', 'LIST'));
  return list.split('\n').filter((line) => /\bflags=\S*r/.test(line)).length;
}

/** Is it a replica of a newer release? What it can't parse it drops, in silence. */
async function followsNewer(context: Context, info: Record<string, string>, own: string): Promise<boolean> {
  if (info['role'] !== 'slave') return false;
  await using primary = await context.connect(`${info['master_host'] ?? ''}:${info['master_port'] ?? ''}`);
  return olderLine(own, releaseFromInfo(await readInfo(primary, 'server')));
}

/** Does the node run this release already, and answer? */
async function runs(context: Context, place: NodePlace, release: string): Promise<boolean> {
  const { state } = await context.platform.inspect(platformNode(place));
  if (state !== 'running') return false;
  try {
    await using connection = await connectWhenUp(context.endpoint, place.address, {
      withinMs: 5000,
      signal: context.signal,
    });
    return releaseFromInfo(await readInfo(connection, 'server')) === release;
  } catch (error) {
    if (error instanceof RolloutError && (error.type === 'Unreachable' || error.type === 'NodeHung')) return false;
    throw error;
  }
}

/** Ends a replica's process: by SHUTDOWN NOSAVE where it answers, else by the platform. A primary is never ended. */
async function endProcess(context: Context, place: NodePlace): Promise<void> {
  const node = platformNode(place);
  const { state } = await context.platform.inspect(node);
  let terminate = state === 'hung';
  if (state === 'running')
    try {
      await context.platform.fence(node, context.token);
      await using connection = await context.connect(place.address);
      await shutDownReplica(connection);
    } catch (error) {
      if (!(error instanceof RolloutError) || (error.type !== 'Unreachable' && error.type !== 'NodeHung')) throw error;
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

/** Settings that were changed while it ran and never written to its file. */
async function putBackRunning(connection: NodeConnection, before: Before): Promise<void> {
  const { running } = await readConfiguration(connection);
  for (const [directive, value] of Object.entries(before.running))
    if (running[directive] !== value) await setDirective(connection, directive, value).catch(() => undefined);
}
