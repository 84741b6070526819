import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import { connectWhenUp, getDirective } from '../redis/node.js';
import type { Before } from './before.js';
import { platformNode, type Context } from './context.js';
import { mustRun } from './running.js';

/** What a server must be started with to be the node: its dataset and its nodes.conf lie there. */
const whereItLives = ['dir', 'cluster-config-file'];

/**
 * A server that was started in another folder, or on another nodes.conf, is a stranger on the node's port: an empty primary
 * that the cluster does not know, or the node as it was long ago. It is ended at once; nobody would dare to end it later.
 *
 * @throws RolloutError StartFailed, once it is ended
 */
export async function mustBeItself(context: Context, place: NodePlace, before: Before, release: string): Promise<void> {
  const found: string[] = [];
  {
    await using connection = await connectWhenUp(context.endpoint, place.address, {
      withinMs: 30_000,
      onMiss: () => mustRun(context, place),
      signal: context.signal,
    });
    for (const directive of whereItLives) {
      const [was, is] = [before.running[directive], await getDirective(connection, directive)];
      // Releases before 7.0 don't tell where their nodes.conf is.
      if (was !== undefined && is !== undefined && was !== is) found.push(`${directive} ${is}, expected ${was}`);
    }
  }
  if (found.length === 0) return;
  await context.platform.stop(platformNode(place), context.token, { terminate: true });
  throw new RolloutError(
    'StartFailed',
    `${place.address}: ${release} started with ${found.join(' and ')}: it had neither the node's dataset nor its place in the cluster, and was ended. Find out what starts it so`,
  );
}
