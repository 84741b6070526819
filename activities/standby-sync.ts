import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import type { NodeConnection } from '../redis/connection.js';
import { readInfo } from '../redis/node.js';
import { platformNode, type Context } from './context.js';
import { rejoin, syncBaseline } from './rejoin.js';
import { goneText, hasNoFolder, stillRuns } from './standby-folder.js';
import { forgetGone } from './standby-gone.js';
import { findStandby, placeOfStandby, type StandbyEntry } from './standby-registry.js';
import { takeAway } from './standby-removal.js';
import {
  mustBePrimary,
  rememberBase,
  rememberEntry,
  replicationAddress,
  siteStandby,
  startedBefore,
  startInputFor,
} from './standby-site.js';
import { isOfItsRelease, mustBeOfItsRelease, standingOf, take, whenUp, type Step } from './standby-standing.js';

/** Makes the shard's standby where there is none, and has it follow the primary until it has all. */
export async function sync(context: Context, step: Step): Promise<StandbyEntry> {
  const entry = await site(context, step);
  if (entry.state !== 'syncing') return entry;
  const place = placeOfStandby(entry);
  const standing = await standingOf(context, place, step);
  if (standing !== 'replica' && standing !== 'stopped' && entry.replid !== undefined) return entry;
  await mustBeOfItsRelease(context, entry, step.primary);
  await using upstream = await context.connect(step.primary);
  mustBePrimary(step.primary, await readInfo(upstream, 'replication'));
  const baseline = await syncBaseline(upstream);
  if (standing === 'alone' || standing === 'member')
    await context.platform.stop(platformNode(place), context.token, { terminate: true });
  if (standing !== 'replica' && !(await create(context, entry, step))) return await sync(context, step);
  await take(context, place, step);
  await rememberEntry(context, step.shard);
  await rememberBase(context, entry, step.primary);
  await follow(context, place, upstream);
  await rejoin(context, { place, primary: step.primary, baseline, shard: step.shard, tell: step.tell });
  return entry;
}

/** Somebody may have taken the port between its choice and its first start: then another is chosen. */
async function create(context: Context, entry: StandbyEntry, step: Step): Promise<boolean> {
  const node = platformNode(placeOfStandby(entry));
  const input = await startInputFor(context, entry, { primary: step.primary, as: 'replica' });
  try {
    await context.platform.create(node, context.token, input);
    return true;
  } catch (error) {
    if (!(error instanceof RolloutError) || error.type !== 'StartFailed') throw error;
    if (await startedBefore(context, entry)) throw error;
    await takeAway(context, entry);
    // The same port again is free: that was not the reason.
    if ((await site(context, step)).address === entry.address) throw error;
    return false;
  }
}

/**
 * Of one that nobody knew of any more, what it has is of an earlier operation: where it can be had anew, it is. So is one
 * whose folder is gone, whatever was noted of it.
 */
export async function site(context: Context, step: Step): Promise<StandbyEntry> {
  const known = await findStandby(context.deploymentFolder, step.shard);
  if (known && (await hasNoFolder(context, known))) {
    if (await isOfItsRelease(context, known, step.primary)) await forgetGone(context, known);
    else if (!(await stillRuns(context, known)))
      throw new RolloutError(
        'StandbyLost',
        `${known.address}, the standby of ${known.shard} (${known.release}): ${goneText(known)}, and ${step.primary} runs another release, from which none can be made`,
      );
  }
  const { entry, leftBehind } = await siteStandby(context, step);
  if (!leftBehind || !(await isOfItsRelease(context, entry, step.primary))) return entry;
  await takeAway(context, entry);
  return (await siteStandby(context, step)).entry;
}

/** A primary may have been failed over since it was begun. */
async function follow(context: Context, place: NodePlace, upstream: NodeConnection): Promise<void> {
  await using standby = await whenUp(context, place);
  const info = await readInfo(standby, 'replication');
  const { host, port } = await replicationAddress(upstream);
  if (info['master_host'] === host && Number(info['master_port']) === port) return;
  await using acting = await context.connectToAct(place);
  await acting.call('REPLICAOF', host, port);
}
