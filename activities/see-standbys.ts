import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FollowState } from '../model/follow-state.js';
import type { StandbySeen } from '../model/gates/observation.js';
import { RolloutError } from '../model/failures.js';
import { eachNode } from '../model/in-parallel.js';
import type { ShardView } from '../model/topology.js';
import { readClock } from '../redis/clock.js';
import { isSilent, type NodeConnection } from '../redis/connection.js';
import { readInfo } from '../redis/node.js';
import { ownLine } from '../redis/standby/cluster-file.js';
import type { Context } from './context.js';
import { lossOf } from './lost-standby.js';
import { readRegistry } from './standby-registry.js';

/**
 * Where a shard's follower writes down how far it is, again and again: in the deployment's folder, since what a standby
 * can't hold outlives an operation, and in the operation's own for its report.
 */
export const followFile = (folder: string, shard: string): string => join(folder, `follow-${shard}.json`);

/** The standbys of these shards as they are now, each with what its follower wrote down last. */
export async function seeStandbys(
  { connect, deploymentFolder, platform }: Pick<Context, 'connect' | 'deploymentFolder' | 'platform'>,
  shards: readonly (Pick<ShardView, 'name'> & Partial<Pick<ShardView, 'primary'>>)[],
): Promise<StandbySeen[]> {
  const entries = (await readRegistry(deploymentFolder)).filter(({ shard }) =>
    shards.some(({ name }) => name === shard),
  );
  return eachNode(entries, async (entry): Promise<StandbySeen> => {
    const { shard, address, release, state } = entry;
    const info = await ask(connect, address, (it) => readInfo(it, 'replication'));
    const written = await readFollow(deploymentFolder, shard);
    // Of another standby that the shard once had it says nothing.
    const follow = written?.standby === address ? written : undefined;
    const primary = shards.find(({ name }) => name === shard)?.primary;
    const lost = await lossOf({ connect, platform }, entry, primary);
    const synced = info?.['master_link_status'] === 'up' && info['master_sync_in_progress'] === '0';
    return {
      ...{ shard, address, release, state, answers: info !== undefined },
      ...(lost === undefined ? {} : { lost }),
      ...(state === 'syncing' ? { link: synced ? ('up' as const) : ('down' as const) } : {}),
      ...(await clocksOf(connect, address, primary?.address)),
      ...(follow ? { follow: { ...forOthers(follow), ageMs: Date.now() - follow.at } } : {}),
    };
  });
}

/** Without what only the next attempt at following needs, and which may be long. */
export function forOthers<T extends Pick<FollowState, 'comparison'>>(follow: T): T {
  const shown = structuredClone(follow);
  delete shown.comparison?.resume;
  return shown;
}

/** @returns undefined where no follower has written anything there */
export async function readFollow(folder: string, shard: string): Promise<FollowState | undefined> {
  const text = await readFile(followFile(folder, shard), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as FollowState);
}

/** Nothing where one of the two doesn't tell its time. */
async function clocksOf(
  connect: Context['connect'],
  standby: string,
  primary: string | undefined,
): Promise<Pick<StandbySeen, 'clock'>> {
  if (primary === undefined || primary === standby) return {};
  const [own, its] = await Promise.all([ask(connect, standby, readClock), ask(connect, primary, readClock)]);
  return own && its ? { clock: { own, primary: its, of: primary } } : {};
}

async function ask<T>(
  connect: Context['connect'],
  address: string,
  what: (connection: NodeConnection) => Promise<T>,
): Promise<T | undefined> {
  try {
    await using connection = await connect(address);
    return await what(connection);
  } catch (error) {
    if (error instanceof RolloutError) return undefined;
    throw error;
  }
}

/** Has a standby taken its shard's slots, whatever is written down of it? */
export async function hasSlots({ connect }: Pick<Context, 'connect'>, address: string): Promise<boolean> {
  try {
    await using connection = await connect(address);
    return ownLine(String(await connection.call('CLUSTER', 'NODES'))).ranges.length > 0;
  } catch (error) {
    if (isSilent(error)) return false;
    throw error;
  }
}
