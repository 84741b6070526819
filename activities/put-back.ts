import { compareConfiguration } from '../model/configuration.js';
import type { ConfigurationDifference } from '../model/evidence.js';
import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import { readConfiguration } from '../redis/configuration.js';
import { isSilent, type NodeConnection } from '../redis/connection.js';
import { releaseFromInfo } from '../redis/info.js';
import { backgroundSave, getDirective, noFailover, readInfo, setDirective } from '../redis/node.js';
import { poll } from '../redis/roles.js';
import { BACKLOG_SIZE, grownBacklog, putBackBacklog } from './backlog.js';
import { forgetBefore, needBefore, readBefore, writeBefore, type Before } from './before.js';
import type { Context } from './context.js';
import { forgetNeighbours } from './neighbours.js';
import { followsNewer } from './server.js';

/** Puts back what was changed on nodes of a shard for an operation alone, and forgets what was noted of them for it. */
export async function putBack(context: Context, places: readonly NodePlace[]): Promise<void> {
  const left = await Promise.all(places.map((place) => putBackNode(context, place)));
  // A node that still has to come back needs every byte that the others have kept for it.
  if (left.includes('unfinished')) return;
  await Promise.all(places.map((place) => putBackBacklog(context, place)));
  await forgetNeighbours(context, places);
}

/**
 * Compares a node's configuration with what it was, and puts the settings back that an operation changes.
 *
 * @throws RolloutError Different when it runs with a setting that nobody asked for: it is not to be promoted with that
 */
export async function giveBack(context: Context, place: NodePlace): Promise<ConfigurationDifference[]> {
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
