import { namesOf } from '../model/configuration.js';
import type { ConfigurationDifference } from '../model/evidence.js';
import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import { readConfiguration } from '../redis/configuration.js';
import type { NodeConnection } from '../redis/connection.js';
import { releaseFromInfo } from '../redis/info.js';
import { noFailover, readInfo } from '../redis/node.js';
import { BACKLOG_SIZE, grownBacklog } from './backlog.js';
import { platformNode, type Context } from './context.js';
import { inHome } from './places.js';
import { readRegistry } from './standby-registry.js';

/**
 * A node as it was before it was touched. Kept beside the node, since it holds what must not enter a history (passwords),
 * and since it must outlive the worker and even the operation.
 */
export interface Before {
  release: string;
  /** Text of its configuration file. */
  file: string;
  /** CONFIG GET * and ACL LIST. */
  running: Record<string, string>;
  acl: string[];
  /** Its ACL file, where it has one. */
  aclFile?: { path: string; text: string };
  /** Its dataset was kept under SNAPSHOT while it was still the truth. */
  snapshot: boolean;
  /** Noted when the shard was begun, and nothing was done to it yet: what it takes to start it should it die. */
  untouched?: true;
  /**
   * The replication id of the stream that it had, and since when that is known, ISO. A server that becomes primary begins one
   * of its own: while the id is the same, no role of the shard has changed.
   */
  stream?: { id: string; since: string };
  /** Set when the node was given back; what then differed. */
  released?: ConfigurationDifference[];
}

const NAME = 'before';
/** As `before`, of the release that a fallback goes back to: it outlives the shard's upgrade, and any hop on the way. */
const ORIGIN = 'origin';
/** Label of the files that are kept aside before a swap. */
export const SNAPSHOT = 'before-swap';
/** Label of a dataset that can't be trusted: its node starts from nothing, and is given everything by its primary. */
export const UNTRUSTED = 'untrusted';

export async function readBefore({ platform }: Context, place: NodePlace): Promise<Before | undefined> {
  const text = await platform.recall(platformNode(place), { name: NAME });
  return text === undefined ? undefined : (JSON.parse(text) as Before);
}

export async function writeBefore({ platform, token }: Context, place: NodePlace, before: Before): Promise<void> {
  await platform.remember(platformNode(place), token, { name: NAME, text: JSON.stringify(before) });
}

export async function forgetBefore({ platform, token }: Context, place: NodePlace): Promise<void> {
  for (const label of [SNAPSHOT, UNTRUSTED]) await platform.drop(platformNode(place), token, { label });
  await platform.forget(platformNode(place), token, { name: NAME });
}

/**
 * Keeps what is known of a node as it was before as what a fallback brings it back to. Of a way with several hops the first
 * release is right, as long as there is a standby of it; what an upgrade left that was never ended is overwritten.
 */
export async function rememberOrigin(context: Context, place: NodePlace): Promise<void> {
  const [before, origin] = [await readBefore(context, place), await readOrigin(context, place)];
  if (!before) return;
  const standbys = await readRegistry(context.deploymentFolder);
  if (origin && (isPending(before) || standbys.some(({ release }) => release === origin.release)))
    if (origin.release !== before.release || isPending(before)) return;
  const text = JSON.stringify(settingsOf(before));
  await context.platform.remember(platformNode(place), context.token, { name: ORIGIN, text });
}

/** What stays true of a node whatever becomes of its dataset. */
export function settingsOf({ release, file, running, acl, aclFile }: Before): Before {
  return { release, file, running, acl, snapshot: false, ...(aclFile ? { aclFile } : {}) };
}

/** What a fallback brings the node back to; undefined where no upgrade with a fallback has begun on it. */
export async function readOrigin(
  { platform }: Pick<Context, 'platform'>,
  place: NodePlace,
): Promise<Before | undefined> {
  const text = await platform.recall(platformNode(place), { name: ORIGIN });
  return text === undefined ? undefined : (JSON.parse(text) as Before);
}

/** From here on there is no going back. */
export const forgetOrigin = ({ platform, token }: Context, place: NodePlace): Promise<void> =>
  platform.forget(platformNode(place), token, { name: ORIGIN });

/** Was something done to the node that has not come to its end yet? */
export const isPending = (before: Before | undefined): before is Before =>
  before !== undefined && before.untouched === undefined && before.released === undefined;

export async function needBefore(context: Context, place: NodePlace): Promise<Before> {
  const before = await readBefore(context, place);
  if (!before)
    throw new RolloutError(
      'Stopped',
      `nothing is known of ${place.address} as it was before: its folder ${place.home} was changed by somebody else`,
    );
  return before;
}

/** Directives that an operation changes on a node and puts back: their own values are those of the first look. */
const ours = [noFailover, 'save', 'appendonly'];

/**
 * Notes the node as it is before it is touched. A note that an earlier operation left is brought up to date while the node
 * still runs what it ran then (a password may have been changed since); of what we changed ourselves the note knows best.
 *
 * @param about `untouched` while nothing is done to the node yet: what an operation has begun is not overwritten by it
 */
export async function rememberBefore(
  context: Context,
  connection: NodeConnection,
  place: NodePlace,
  about?: 'untouched',
): Promise<void> {
  const left = await readBefore(context, place);
  const known = isPending(left) ? left : undefined;
  if (known && about === 'untouched') return;
  const info = await readInfo(connection);
  const release = releaseFromInfo(info);
  if (known && known.release !== release) return;
  const { running, acl } = await readConfiguration(connection);
  const id = info['master_replid'];
  const backlog = await grownBacklog(context, place);
  if (backlog) running[BACKLOG_SIZE] = backlog.original;
  // By each of its names: CONFIG GET tells them all, from 7.0 on in any order, and the last one would be carried over.
  for (const name of ours.flatMap(namesOf)) if (known?.running[name] !== undefined) running[name] = known.running[name];
  const file = await context.platform.readConfiguration(platformNode(place));
  const aclFile = await readAclFile(context, place, running['aclfile'] ?? '');
  await writeBefore(context, place, {
    ...{ release, file, running, acl, snapshot: known?.snapshot ?? false },
    ...(aclFile ? { aclFile } : {}),
    ...(id === undefined
      ? {}
      : { stream: left?.stream?.id === id ? left.stream : { id, since: new Date().toISOString() } }),
    ...(about === 'untouched' ? { untouched: true } : {}),
  });
}

async function readAclFile(context: Context, place: NodePlace, name: string): Promise<Before['aclFile']> {
  if (name === '') return undefined;
  const path = inHome(place, name);
  return { path, text: (await context.platform.readFile(platformNode(place), { path })) ?? '' };
}
