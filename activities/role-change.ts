import type { NodePlace } from '../model/work.js';
import { platformNode, type Context } from './context.js';
import { placeOf } from './places.js';

const NAME = 'role-changed';

/** No server tells since when it is primary: kept beside the node that became it, for the next handover's settling time. */
export async function noteRoleChange({ platform, token }: Context, place: NodePlace): Promise<void> {
  await platform.remember(platformNode(place), token, { name: NAME, text: new Date().toISOString() });
}

/** How long ago we made this node primary, ms; undefined when it was not us. */
export async function sinceRoleChange(context: Context, primary: string): Promise<number | undefined> {
  await using connection = await context.connect(primary);
  const place = { ...(await placeOf(connection)), pending: false };
  const text = await context.platform.recall(platformNode(place), { name: NAME });
  return text === undefined ? undefined : Date.now() - Date.parse(text);
}
