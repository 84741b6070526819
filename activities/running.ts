import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import { platformNode, type Context } from './context.js';

/**
 * Acts on a node that runs. Where the act fails and the node's process has ended, that is the failure: no further try
 * would find it alive.
 *
 * @throws RolloutError StartFailed with the end of the node's log; else what the act throws
 */
export async function whileItRuns<T>(context: Context, place: NodePlace, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    await mustRun(context, place);
    throw error;
  }
}

/** @throws RolloutError StartFailed when the node's process has ended */
export async function mustRun({ platform }: Context, place: NodePlace): Promise<void> {
  const { state } = await platform.inspect(platformNode(place));
  if (state !== 'stopped') return;
  const log = await platform.log(platformNode(place), { lines: 15 });
  throw new RolloutError('StartFailed', `${place.address} ended; the end of its log:\n${log}`);
}
