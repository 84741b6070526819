import { setTimeout as sleep } from 'node:timers/promises';
import type { FollowActivities } from '../model/fallback-work.js';
import { RolloutError } from '../model/failures.js';
import type { ShardView } from '../model/topology.js';
import { at } from '../redis/connection.js';
import { followTools } from '../redis/follow/copying.js';
import { follow } from '../redis/follow/follow.js';
import type { FollowState as Following } from '../redis/follow/state.js';
import { mustServe } from './assess.js';
import { oldestFirst } from './assess-fallback.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { followGauges } from './follow-metrics.js';
import { replace } from './probe.js';
import { followFile, forOthers, hasSlots, readFollow } from './see-standbys.js';
import { readNamed } from './shard-names.js';
import { goneText, isGone } from './standby-folder.js';
import { needStandby } from './standby-registry.js';

/** How often gates and status get new figures, ms. */
const WRITE_EVERY_MS = 500;

/**
 * Gives a shard's standby what its primary is given, for as long as the operation lets it; whoever serves the shard
 * meanwhile is asked anew with each connection. It ends by itself once the standby has the shard's slots.
 */
export const followActivity =
  (dependencies: Dependencies): FollowActivities['follow'] =>
  (input) =>
    // How the attempt before it fared is not how it is now: it says nothing until it knows.
    heartbeating(async (tell) => followShard(await contextFor(dependencies, input), input.shard, tell), null);

async function followShard(context: Context, shard: string, tell: (state: unknown) => void): Promise<void> {
  const { deployment, endpoint, folder, deploymentFolder, signal } = context;
  const entry = await needStandby(deploymentFolder, shard);
  const { address, release: target, state } = entry;
  if (state === 'serving') return;
  if (await isGone(context, entry))
    throw new RolloutError('StandbyLost', `${address}, the standby of ${shard}: ${goneText(entry)}`);
  const { slots, primary, replicas } = await shardNow(context, shard);
  const before = await readFollow(deploymentFolder, shard);
  const known = before?.standby === address ? before : undefined;
  let latest: Following | undefined;
  const measure = followGauges({ deployment: deployment.name, shard });
  const ended = new AbortController();
  const write = async (): Promise<void> => {
    if (!latest) return;
    const lagMsMax = Math.max(known?.lagMsMax ?? 0, latest.lagMsMax);
    const state = { ...latest, shard, standby: address, lagMsMax, at: Date.now() };
    for (const path of [deploymentFolder, folder]) await replace(followFile(path, shard), JSON.stringify(state));
    tell(forOthers(state));
    measure(state);
  };
  const writing = (async () => {
    while (!ended.signal.aborted) {
      await write();
      await sleep(WRITE_EVERY_MS, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  })();
  try {
    await follow({
      primary: async () => at(endpoint, (await shardNow(context, shard)).primary.address),
      standby: at(endpoint, address),
      // What the newest of them propagates holds for the older ones too.
      source: oldestFirst([primary, ...replicas].map(({ release }) => release)).at(-1) ?? target,
      ...{ slots, target, tools: followTools, signal },
      ...(known ? { known: known.notRepresentable } : {}),
      compare: {
        ttlToleranceMs: deployment.policy.ttlTolerance,
        ...(known?.comparison ? { known: known.comparison } : {}),
      },
      onProgress: (progress) => (latest = progress),
    });
  } catch (error) {
    signal.throwIfAborted();
    // Its record went with the cutover, and nothing is left to follow for.
    if (await hasSlots(context, address)) return;
    ended.abort();
    await writing;
    // What it ended with: else it would be said to follow.
    await write();
    throw error;
  } finally {
    ended.abort();
    await writing;
  }
}

async function shardNow(context: Context, name: string): Promise<ShardView> {
  return mustServe(await readNamed(context, name), name);
}
