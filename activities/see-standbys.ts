import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FollowState } from '../model/follow-state.js';
import type { StandbySeen } from '../model/gates/observation.js';
import { RolloutError } from '../model/failures.js';
import { eachNode } from '../model/in-parallel.js';
import type { ShardView } from '../model/topology.js';
import { readInfo } from '../redis/node.js';
import type { Context } from './context.js';
import { readRegistry } from './standby-registry.js';

/** Where a shard's follower writes down how far it is, again and again, in its operation's folder. */
export const followFile = (folder: string, shard: string): string => join(folder, `follow-${shard}.json`);

/** The standbys of these shards as they are now, each with what its follower wrote down last. */
export async function seeStandbys(
  { connect, folder, deploymentFolder }: Pick<Context, 'connect' | 'folder' | 'deploymentFolder'>,
  shards: readonly Pick<ShardView, 'name'>[],
): Promise<StandbySeen[]> {
  const entries = (await readRegistry(deploymentFolder)).filter(({ shard }) =>
    shards.some(({ name }) => name === shard),
  );
  return eachNode(entries, async ({ shard, address, release, state }): Promise<StandbySeen> => {
    const info = await ask(connect, address);
    const follow = await readFollow(folder, shard);
    const synced = info?.['master_link_status'] === 'up' && info['master_sync_in_progress'] === '0';
    return {
      ...{ shard, address, release, state, answers: info !== undefined },
      ...(state === 'syncing' ? { link: synced ? ('up' as const) : ('down' as const) } : {}),
      ...(follow ? { follow: { ...follow, ageMs: Date.now() - follow.at } } : {}),
    };
  });
}

/** @returns undefined where no follower of this operation has written anything yet */
export async function readFollow(folder: string, shard: string): Promise<FollowState | undefined> {
  const text = await readFile(followFile(folder, shard), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as FollowState);
}

async function ask(connect: Context['connect'], address: string): Promise<Record<string, string> | undefined> {
  try {
    await using connection = await connect(address);
    return await readInfo(connection, 'replication');
  } catch (error) {
    if (error instanceof RolloutError) return undefined;
    throw error;
  }
}
