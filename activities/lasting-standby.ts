import { appendOnlyAgain, backgroundSave } from '../redis/node.js';
import { platformNode, type Context } from './context.js';
import { hasSlots } from './see-standbys.js';
import { placeOfStandby, type StandbyEntry } from './standby-registry.js';
import { startInputFor } from './standby-site.js';

/**
 * Makes what a standby is about to serve last as long as its shard's primary does: a standby writes nothing down, and its file
 * is of when it was frozen. One that died while it served would come back as it was then, hours ago, with its shard's slots.
 *
 * The append-only file first, whole, and then the configuration that has it loaded: the other way round it would be started
 * on none, which before 7.0 is to start empty (loadDataFromDisk of server.c).
 */
export async function makeLasting(context: Context, entry: StandbyEntry, primary: string): Promise<void> {
  const { address, serveWith } = entry;
  // An earlier attempt saw to it before the slots were taken.
  if (await hasSlots(context, address)) return;
  {
    await using standby = await context.connect(address);
    if (serveWith['appendonly'] === 'yes') await appendOnlyAgain(standby, { signal: context.signal });
    else if (serveWith['save']) await backgroundSave(standby, { signal: context.signal });
  }
  const { configuration } = await startInputFor(context, entry, { primary, as: 'serving' });
  await context.platform.configure(platformNode(placeOfStandby(entry)), context.token, { configuration });
}
