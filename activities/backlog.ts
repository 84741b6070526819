import type { NodePlace } from '../model/work.js';
import { isSilent } from '../redis/connection.js';
import { getDirective, setDirective } from '../redis/node.js';
import { platformNode, type Context } from './context.js';

export const BACKLOG_SIZE = 'repl-backlog-size';
const NAME = 'backlog';

/** A node's backlog size, bytes, before the upgrade and for its time. */
export interface GrownBacklog {
  original: string;
  grown: string;
}

/** What growBacklog changed on this node and nobody has put back yet. */
export async function grownBacklog({ platform }: Context, place: NodePlace): Promise<GrownBacklog | undefined> {
  const text = await platform.recall(platformNode(place), { name: NAME });
  return text === undefined ? undefined : (JSON.parse(text) as GrownBacklog);
}

/** The original is remembered once; a bigger backlog than asked for is left as it is. */
export async function growBacklog(context: Context, place: NodePlace, bytes: number): Promise<void> {
  await using connection = await context.connectToAct(place);
  const running = (await getDirective(connection, BACKLOG_SIZE)) ?? '0';
  if (Number(running) >= bytes) return;
  const known = await grownBacklog(context, place);
  const text = JSON.stringify({ original: known?.original ?? running, grown: String(bytes) } satisfies GrownBacklog);
  await context.platform.remember(platformNode(place), context.token, { name: NAME, text });
  await setDirective(connection, BACKLOG_SIZE, String(bytes));
}

/** Gives a node its own backlog size again; one that is away keeps the note for the next operation. */
export async function putBackBacklog(context: Context, place: NodePlace): Promise<void> {
  const known = await grownBacklog(context, place);
  if (!known) return;
  try {
    await using connection = await context.connectToAct(place);
    await setDirective(connection, BACKLOG_SIZE, known.original);
    await context.platform.forget(platformNode(place), context.token, { name: NAME });
  } catch (error) {
    if (isSilent(error)) return;
    throw error;
  }
}

/** For a start: the file has the original, the process the size for the time of the upgrade. */
export async function backlogArguments(context: Context, place: NodePlace): Promise<string[]> {
  const known = await grownBacklog(context, place);
  return known ? [`--${BACKLOG_SIZE}`, known.grown] : [];
}
