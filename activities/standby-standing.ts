import { lineOf } from '../model/compatibility/release-lines.js';
import { splitAddress } from '../model/endpoint.js';
import { RolloutError } from '../model/failures.js';
import type { SlotRange } from '../model/topology.js';
import type { NodePlace } from '../model/work.js';
import { at, connect, type NodeConnection } from '../redis/connection.js';
import { releaseFromInfo } from '../redis/info.js';
import { connectWhenUp, readInfo } from '../redis/node.js';
import { poll } from '../redis/roles.js';
import { ownLine } from '../redis/standby/cluster-file.js';
import { followKey } from '../redis/standby/point.js';
import { openToAct } from './acting.js';
import { fenceAll, platformNode, type Context } from './context.js';
import { mustRun } from './running.js';
import type { StandbyEntry } from './standby-registry.js';

export interface Step {
  shard: string;
  /** Who serves the shard now. */
  primary: string;
  tell: (progress: unknown) => void;
}

/** `replica` and `alone`, outside of the cluster; `member`, in it. */
export type Standing = 'stopped' | 'replica' | 'alone' | 'member';

/** The longest that one command may take: going through all keys, of a server that does nothing else. */
const LONGEST_CALL_MS = 3_600_000;

export async function mustBeOfItsRelease(context: Context, entry: StandbyEntry, primary: string): Promise<void> {
  if (await isOfItsRelease(context, entry, primary)) return;
  throw new RolloutError(
    'StandbyLost',
    `${entry.address}, the standby of ${entry.shard} (${entry.release}), is not frozen any more, and ${primary} runs another release, from which it can't sync`,
  );
}

export async function isOfItsRelease(context: Context, entry: StandbyEntry, primary: string): Promise<boolean> {
  await using upstream = await context.connect(primary);
  return lineOf(releaseFromInfo(await readInfo(upstream, 'server'))) === lineOf(entry.release);
}

export async function standingOf(context: Context, place: NodePlace, step: Pick<Step, 'tell'>): Promise<Standing> {
  const made = await context.platform.inspect(platformNode(place)).catch((error: unknown) => {
    // Its folder is not there yet.
    if (error instanceof RolloutError && error.type === 'BadInput') return undefined;
    throw error;
  });
  if (made === undefined || made.state === 'stopped') return 'stopped';
  await take(context, place, step);
  await using connection = await whenUp(context, place);
  const info = await readInfo(connection);
  if (info['cluster_enabled'] === '1') return 'member';
  return info['role'] === 'slave' ? 'replica' : 'alone';
}

export const whenUp = (context: Context, place: NodePlace): Promise<NodeConnection> =>
  connectWhenUp(context.endpoint, place.address, {
    withinMs: 30_000,
    onMiss: () => mustRun(context, place),
    signal: context.signal,
  });

/**
 * Takes the standby for this attempt, once it can be: a server that loads a dataset, its own or one that its primary has
 * just sent, refuses even CLIENT LIST before 7.0.
 */
export async function take(context: Context, place: NodePlace, step: Pick<Step, 'tell'>): Promise<void> {
  for (;;) {
    (await loaded(context, place, step)).close();
    try {
      await fenceAll(context, [place]);
      return;
    } catch (error) {
      if (!(error instanceof Error) || !/^LOADING\b/.test(error.message)) throw error;
    }
  }
}

/** Connected, once its dataset is in memory. */
export async function loaded(
  context: Context,
  place: NodePlace,
  { tell }: Pick<Step, 'tell'>,
): Promise<NodeConnection> {
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

export const connectForLong = (context: Context, place: NodePlace): Promise<NodeConnection> =>
  openToAct(
    context.token,
    () => connect(at(context.endpoint, place.address), { timeoutMs: LONGEST_CALL_MS }),
    () => context.platform.fence(platformNode(place), context.token),
  );

/** Whose the slots are that the standby is for, as their owner says. */
export async function ownership(
  context: Context,
  primary: string,
): Promise<{ nodes: string; host: string; owner: string; ranges: SlotRange[]; key: string }> {
  await using upstream = await context.connect(primary);
  const nodes = String(await upstream.call('CLUSTER', 'NODES'));
  const own = ownLine(nodes);
  return { nodes, host: splitAddress(primary).host, ...own, key: followKey(own.ranges) };
}
