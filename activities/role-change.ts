import { activityInfo } from '@temporalio/activity';
import type { NodePlace } from '../model/work.js';
import { parseInfo } from '../redis/info.js';
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

/** How long ago we made this node primary, ms; undefined when it was not us. */
export async function sinceRoleChange(context: Context, primary: string): Promise<number | undefined> {
  await using connection = await context.connect(primary);
  const place = { ...(await placeOf(connection)), pending: false };
  const text = await context.platform.recall(platformNode(place), { name: NAME });
  return text === undefined ? undefined : Date.now() - Date.parse(text.split(' ')[0] ?? '');
}

/** From a server's start to its first link: it asks its primary once a second. A long load looks like a link made anew. */
const FIRST_LINK_S = 3;

/**
 * A handover by somebody else is known by what it leaves: the primary's links to its replicas are younger than the
 * replicas are. How old the oldest is, ms; undefined where it is as old as this replica, or there is none.
 */
export async function sinceRelink(
  context: Context,
  { primary, replica }: { primary: string; replica: string },
): Promise<number | undefined> {
  await using upstream = await context.connect(primary);
  await using node = await context.connect(replica);
  const uptime = Number(parseInfo(String(await node.call('INFO', 'server')))['uptime_in_seconds']);
  const links = String(await upstream.call('CLIENT', 'LIST'))
    .split('\n')
    .filter((line) => /\bflags=\S*S/.test(line))
    .map((line) => Number(/\bage=(\d+)/.exec(line)?.[1]));
  const oldest = Math.max(...links);
  return links.length > 0 && uptime - oldest > FIRST_LINK_S ? oldest * 1000 : undefined;
}
