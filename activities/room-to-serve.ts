import { formatSize } from '../model/duration.js';
import { RolloutError } from '../model/failures.js';
import { platformNode, type Context } from './context.js';
import { hasSlots } from './see-standbys.js';
import { placeOfStandby, type StandbyEntry } from './standby-registry.js';

/** A nodes.conf has a word for each slot that is imported, a megabyte for all of them, and is written again at each step. */
const ROOM_BYTES = 4 * 1024 * 1024;

/**
 * A server ends that can't write its nodes.conf, and one before 7.2 writes over the old one: where the disk is full as it
 * takes the slots, it has neither. Looked for before anything is done; one that has the slots already goes on.
 *
 * @throws RolloutError NoSpace
 */
export async function mustHaveRoom(context: Context, entry: StandbyEntry): Promise<void> {
  const place = placeOfStandby(entry);
  const { diskFree } = await context.platform.resources(platformNode(place));
  if (diskFree >= ROOM_BYTES || (await hasSlots(context, entry.address))) return;
  throw new RolloutError(
    'NoSpace',
    `${entry.address}, the standby of ${entry.shard}: ${formatSize(diskFree)} free on the disk of ${entry.home}, taking the slots needs ${formatSize(ROOM_BYTES)}; nothing was done`,
  );
}
