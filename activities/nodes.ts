import { RolloutError } from '../model/failures.js';
import type { NodeActivities, NodePlace, Order } from '../model/work.js';
import { isSilent, type NodeConnection } from '../redis/connection.js';
import { datasetBytes, releaseFromInfo } from '../redis/info.js';
import { backgroundSave, noFailover, readInfo, setDirective } from '../redis/node.js';
import { growBacklog } from './backlog.js';
import { isPending, needBefore, readBefore, rememberBefore, rememberOrigin, SNAPSHOT, writeBefore } from './before.js';
import { bringBack } from './bring-back.js';
import { contextFor, fenceAll, heartbeating, platformNode, unreadable, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { rememberNeighbours } from './neighbours.js';
import { mustBeItself } from './own-folder.js';
import { placeOf } from './places.js';
import { giveBack, putBack } from './put-back.js';
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

    putBackShard: inContext(async (context, { places, members = [] }) => {
      const others = members.filter((address) => places.every((it) => it.address !== address));
      const found = (await Promise.all(others.map((address) => findPlace(context, address)))).flat();
      await fenceAll(context, found);
      await putBack(context, [...places, ...found]);
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

/** Clients that sent READONLY (flag `r`): they read from this replica. */
async function countReaders(connection: NodeConnection): Promise<number> {
  const list = String(await connection.call('CLIENT', 'LIST'));
  return list.split('\n').filter((line) => /\bflags=\S*r/.test(line)).length;
}

/** Nothing where it doesn't answer, or lives where nothing could have been noted of it. */
async function findPlace(context: Context, address: string): Promise<NodePlace[]> {
  try {
    await using connection = await context.connect(address);
    return [{ ...(await placeOf(connection)), pending: false }];
  } catch (error) {
    if (isSilent(error) || (error instanceof RolloutError && error.type === 'BadInput')) return [];
    throw error;
  }
}
