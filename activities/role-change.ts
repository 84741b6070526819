import { activityInfo } from '@temporalio/activity';
import type { NodePlace } from '../model/work.js';
import type { NodeConnection } from '../redis/connection.js';
import { readInfo } from '../redis/node.js';
import { readBefore, type Before } from './before.js';
import { platformNode, type Context } from './context.js';
import { placeOf } from './places.js';

const NAME = 'role-changed';

/**
 * No server tells since when it is primary: kept beside the node that became it, for the next handover's settling time,
 * and with the act that made it so, for the next attempt of it.
 */
export async function noteRoleChange({ platform, token }: Context, place: NodePlace): Promise<void> {
  await platform.remember(platformNode(place), token, { name: NAME, text: `${new Date().toISOString()} ${thisAct()}` });
}

/** Has an earlier attempt of this very act seen the node as primary? */
export async function madePrimary({ platform }: Context, place: NodePlace): Promise<boolean> {
  const text = await platform.recall(platformNode(place), { name: NAME });
  return text?.split(' ')[1] === thisAct();
}

function thisAct(): string {
  const { workflowExecution, activityId } = activityInfo();
  return `${workflowExecution?.runId ?? ''}/${activityId}`;
}

/** How long ago a role of the shard changed, or may have changed without us, ms; undefined where it did not. */
export async function sinceRoles(context: Context, { primary, replica }: { primary: string; replica: string }) {
  await using upstream = await context.connect(primary);
  await using node = await context.connect(replica);
  const before = await readBefore(context, { ...(await placeOf(node)), pending: false });
  return {
    sinceRoleChangeMs: await sinceRoleChange(context, upstream),
    sinceRelinkMs: await sinceRelink(upstream, node, before?.stream),
  };
}

/** How long ago we made this node primary, ms; undefined when it was not us. */
async function sinceRoleChange({ platform }: Context, primary: NodeConnection): Promise<number | undefined> {
  const place = { ...(await placeOf(primary)), pending: false };
  const text = await platform.recall(platformNode(place), { name: NAME });
  return text === undefined ? undefined : Date.now() - Date.parse(text.split(' ')[0] ?? '');
}

/** From a server's start to its first link: it asks its primary once a second. */
const FIRST_LINK_S = 3;

/**
 * A handover by somebody else is known by what it leaves: the primary's links to its replicas are younger than the
 * replicas are. So they are after a long load, too: what tells is the primary's stream, where it is known from before.
 *
 * @param known the stream that the replica had when it was noted last
 * @returns since when no role can have changed, ms ago; undefined where the oldest link is as old as this replica, or there is none
 */
export async function sinceRelink(
  primary: NodeConnection,
  replica: NodeConnection,
  known: Before['stream'] | undefined,
): Promise<number | undefined> {
  const uptime = Number((await readInfo(replica, 'server'))['uptime_in_seconds']);
  const links = String(await primary.call('CLIENT', 'LIST'))
    .split('\n')
    .filter((line) => /\bflags=\S*S/.test(line))
    .map((line) => Number(/\bage=(\d+)/.exec(line)?.[1]));
  const oldest = Math.max(...links);
  if (links.length === 0 || uptime - oldest <= FIRST_LINK_S) return undefined;
  const { master_replid: id } = await readInfo(primary, 'replication');
  const unchanged = known?.id === id ? Date.now() - Date.parse(known?.since ?? '') : 0;
  return Math.max(oldest * 1000, unchanged);
}
