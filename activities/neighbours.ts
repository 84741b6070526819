import type { NodePlace } from '../model/work.js';
import { platformNode, type Context } from './context.js';
import { placeOf } from './places.js';

const NAME = 'neighbours';

/**
 * Where a shard's nodes live is kept beside each of them while an operation is under way: one that is down can't say it,
 * and the next operation must find its folder to start it again.
 */
export async function rememberNeighbours(context: Context, places: readonly NodePlace[]): Promise<void> {
  // An operation that only finishes what another left prepares fewer nodes than that one did.
  const all = new Map([...(await noted(context, places)), ...places].map((place) => [place.address, place]));
  const text = JSON.stringify([...all.values()]);
  await Promise.all(
    places.map((place) => context.platform.remember(platformNode(place), context.token, { name: NAME, text })),
  );
}

export async function forgetNeighbours(context: Context, places: readonly NodePlace[]): Promise<void> {
  const all = new Map([...(await noted(context, places)), ...places].map((place) => [place.address, place]));
  await Promise.all(
    [...all.values()].map((place) => context.platform.forget(platformNode(place), context.token, { name: NAME })),
  );
}

async function noted(context: Context, places: readonly NodePlace[]): Promise<NodePlace[]> {
  const texts = await Promise.all(places.map((place) => context.platform.recall(platformNode(place), { name: NAME })));
  return texts.flatMap((text) => (text === undefined ? [] : (JSON.parse(text) as NodePlace[])));
}

/** Where a node lives by what lies beside one of its neighbours, which answers; undefined where that knows nothing. */
export async function placeBeside(
  context: Context,
  neighbour: string,
  address: string,
): Promise<NodePlace | undefined> {
  await using connection = await context.connect(neighbour);
  const own = { ...(await placeOf(connection)), pending: false };
  const text = await context.platform.recall(platformNode(own), { name: NAME });
  if (text === undefined) return undefined;
  return (JSON.parse(text) as NodePlace[]).find((place) => place.address === address);
}
