import { compareConfiguration } from '../model/configuration.js';
import { RolloutError } from '../model/failures.js';
import type { ConfigurationDifference } from '../model/evidence.js';
import type { NodeActivities, NodePlace, Order } from '../model/work.js';
import { readConfiguration } from '../redis/configuration.js';
import { isSilent, type NodeConnection } from '../redis/connection.js';
import { datasetBytes, releaseFromInfo } from '../redis/info.js';
import { backgroundSave, getDirective, noFailover, readInfo, setDirective } from '../redis/node.js';
import { poll } from '../redis/roles.js';
import { BACKLOG_SIZE, grownBacklog, growBacklog, putBackBacklog } from './backlog.js';
import {
  forgetBefore,
  isPending,
  needBefore,
  readBefore,
  rememberBefore,
  rememberOrigin,
  SNAPSHOT,
  writeBefore,
  type Before,
} from './before.js';
import { bringBack } from './bring-back.js';
import { contextFor, fenceAll, heartbeating, platformNode, unreadable, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { forgetNeighbours, rememberNeighbours } from './neighbours.js';
import { mustBeItself } from './own-folder.js';
import { placeOf } from './places.js';
import { rejoin, syncBaseline } from './rejoin.js';
import { noteWhereabouts } from './whereabouts.js';
import { whileItRuns } from './running.js';
import { followsNewer, runs, startAnother } from './server.js';
import { takeBack } from './take-back.js';
import { verifyNode } from './verify.js';

/** The steps of one node. Each looks at the world first, and does only what is still missing. */
export function nodeActivities(dependencies: Dependencies): NodeActivities {
  const inContext =
    <Input extends Order & { place?: NodePlace; places?: NodePlace[] }, Output>(
      act: (context: Context, input: Input) => Promise<Output>,
    ) =>
    (input: Input): Promise<Output> =>
      heartbeating(async () => {
        const context = await contextFor(dependencies, input);
        return whileAccepted(context, async () => {
          await fenceAll(context, input.place === undefined ? (input.places ?? []) : [input.place]);
          return act(context, input);
        });
      });

  return {
    prepareShard: inContext(async (context, { nodes, backlogBytes, fallback }) => {
      const places = await Promise.all(
        nodes.map(async (address) => {
          await using connection = await context.connect(address);
          const found = { ...(await placeOf(connection)), pending: false };
          await fenceAll(context, [found]);
          if (backlogBytes !== undefined) await growBacklog(context, found, backlogBytes);
          await rememberBefore(context, connection, found, 'untouched');
          if (fallback === true) await rememberOrigin(context, found);
          const before = await readBefore(context, found);
          return isPending(before) ? { ...found, release: before.release, pending: true } : found;
        }),
      );
      await rememberNeighbours(context, places);
      // Until its standby is removed: a fallback may be wanted since one of them doesn't live any more.
      if (fallback === true) await noteWhereabouts(context, places);
      return places;
    }),

    putBackShard: inContext(async (context, { places }) => {
      const left = await Promise.all(places.map((place) => putBackNode(context, place)));
      // A node that still has to come back needs every byte that the others have kept for it.
      if (left.includes('unfinished')) return;
      await Promise.all(places.map((place) => putBackBacklog(context, place)));
      await forgetNeighbours(context, places);
    }),

    isolate: inContext((context, { place, primary }) =>
      whileItRuns(context, place, async () => {
        await using connection = await context.connectToAct(place);
        await rememberBefore(context, connection, place);
        await setDirective(connection, noFailover, 'yes');
        await using upstream = await context.connect(primary);
        return { baseline: await syncBaseline(upstream), readers: await countReaders(connection) };
      }),
    ),

    snapshot: inContext((context, { place }) => whileItRuns(context, place, () => save(context, place))),

    swapVersion: inContext(async (context, { place, to }) => {
      const before = await needBefore(context, place);
      if (await runs(context, place, to)) {
        await mustBeItself(context, place, before, to);
        return { release: to, notes: [] };
      }
      return { release: to, ...(await startAnother(context, place, before, to)) };
    }),

    rejoin: inContext((context, input) => whileItRuns(context, input.place, () => rejoin(context, input))),

    verifyNode: (input) =>
      heartbeating(async (progress) => {
        const context = await contextFor(dependencies, input);
        const verify = () => verifyNode(context, input, progress);
        return whileAccepted(context, () => whileItRuns(context, input.place, verify));
      }),

    release: inContext((context, { place }) => giveBack(context, place)),

    revert: inContext((context, input) => takeBack(context, input)),

    bringBack: inContext((context, { nodes }) => bringBack(context, nodes)),
  };
}

/** A password that no node accepts any more is the worker's, and is mended there; one that a single node refuses is not. */
async function whileAccepted<T>(context: Context, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const refused = error instanceof RolloutError && error.type === 'Unauthorized';
    throw refused && !(await anyoneAccepts(context)) ? unreadable(error) : error;
  }
}

async function anyoneAccepts(context: Context): Promise<boolean> {
  for (const seed of context.deployment.seeds)
    try {
      (await context.connect(seed)).close();
      return true;
    } catch (error) {
      if (!(error instanceof RolloutError)) throw error;
    }
  return false;
}

/** Keeps the node's dataset aside as it is now; one that can't be trusted any more is left as it is. */
async function save(context: Context, place: NodePlace): Promise<{ bytes: number; taken: boolean }> {
  const before = await needBefore(context, place);
  await using connection = await context.connectToAct(place);
  const info = await readInfo(connection);
  const bytes = datasetBytes(info);
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
}

/**
 * Compares a node's configuration with what it was, and puts the settings back that an operation changes.
 *
 * @throws RolloutError Different when it runs with a setting that nobody asked for: it is not to be promoted with that
 */
async function giveBack(context: Context, place: NodePlace): Promise<ConfigurationDifference[]> {
  const before = await needBefore(context, place);
  if (before.released) return before.released;
  await using connection = await context.connectToAct(place);
  const info = await readInfo(connection);
  const release = releaseFromInfo(info);
  if (await followsNewer(context, info, release))
    throw new RolloutError(
      'Stopped',
      `${place.address} runs ${release} and follows a newer primary, ${info['master_host'] ?? ''}:${info['master_port'] ?? ''}: it is kept from being promoted, and upgraded by the next start`,
    );
  const ours = [noFailover, 'save'];
  const ignore = [...ours, ...((await grownBacklog(context, place)) ? [BACKLOG_SIZE] : [])];
  const differences =
    release === before.release
      ? []
      : await differencesFrom(before, connection, { node: place.address, release, ignore });
  const changed = differences.filter(({ kind }) => kind === 'changed');
  if (changed.length > 0)
    throw new RolloutError(
      'Different',
      `${place.address} runs ${release} with another configuration than it had: ${changed
        .slice(0, 5)
        .map(
          ({ directive, before, after, note }) =>
            `${directive} ${before ?? '-'} → ${after ?? '-'}${note === undefined ? '' : ` (${note})`}`,
        )
        .join('; ')}. Find out what starts it so, or set it right with CONFIG SET`,
    );
  for (const directive of ours) {
    const value = before.running[directive];
    if (value !== undefined && (await getDirective(connection, directive)) !== value)
      await setDirective(connection, directive, value);
  }
  // The file that it had was not trusted and is set aside: its own goes in its place.
  if (release !== before.release && !before.snapshot) await backgroundSave(connection, { signal: context.signal });
  await writeBefore(context, place, { ...before, released: differences });
  return differences;
}

async function differencesFrom(
  before: Before,
  connection: NodeConnection,
  { node, release, ignore }: { node: string; release: string; ignore: string[] },
): Promise<ConfigurationDifference[]> {
  const after = await readConfiguration(connection);
  return compareConfiguration({
    ...{ node, ignore, before: before.running, after: after.running },
    ...{ aclBefore: before.acl, aclAfter: after.acl, from: before.release, to: release },
  });
}

/** What is known of a node that is away, or was never released, stays: the next operation needs it. */
async function putBackNode(context: Context, place: NodePlace): Promise<'done' | 'unfinished'> {
  const before = await readBefore(context, place);
  if (before && !before.released) {
    if (!(await stillServesAsBefore(context, place, before))) return 'unfinished';
    if (!before.untouched) await giveBack(context, place);
  } else if (before && (await staysAway(context, place))) return 'unfinished';
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
    if (isSilent(error)) return false;
    throw error;
  }
}

/** How long a node that was given back and has ended may take until somebody has started it again, ms. */
const BACK_WITHIN_MS = 30_000;

const staysAway = (context: Context, place: NodePlace): Promise<boolean> =>
  poll(
    () => isAway(context, place),
    (away) => !away,
    { everyMs: 500, withinMs: BACK_WITHIN_MS, signal: context.signal },
  );

async function isAway(context: Context, place: NodePlace): Promise<boolean> {
  try {
    await using connection = await context.connect(place.address);
    return (await readInfo(connection, 'server'))['run_id'] === undefined;
  } catch (error) {
    if (isSilent(error)) return true;
    throw error;
  }
}

/** Clients that sent READONLY (flag `r`): they read from this replica. */
async function countReaders(connection: NodeConnection): Promise<number> {
  const list = String(await connection.call('CLIENT', 'LIST'));
  return list.split('\n').filter((line) => /\bflags=\S*r/.test(line)).length;
}
