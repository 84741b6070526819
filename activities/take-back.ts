import { olderLine } from '../model/compatibility/release-lines.js';
import { RolloutError } from '../model/failures.js';
import type { NodePlace } from '../model/work.js';
import { readConfiguration } from '../redis/configuration.js';
import type { NodeConnection } from '../redis/connection.js';
import { releaseFromInfo } from '../redis/info.js';
import { readInfo, setDirective } from '../redis/node.js';
import { servingPrimary } from '../redis/roles.js';
import { needBefore, writeBefore, type Before } from './before.js';
import type { Context } from './context.js';
import { metByAll } from './identity.js';
import { rejoin, syncBaseline } from './rejoin.js';
import { runs, startAsBefore } from './server.js';

/**
 * A replica back on the release, dataset and configuration of before, following its primary; one that nothing was done to
 * yet is started again where it has ended.
 *
 * @throws RolloutError Stopped where its primary is of a newer line by now: an older node must not follow it
 */
export async function takeBack(
  context: Context,
  { place, primary }: { place: NodePlace; primary: string },
): Promise<{ release: string }> {
  const before = await needBefore(context, place);
  // Not what was its primary when it was begun: somebody may have failed the shard over, to a newer node even.
  const serving = await servingPrimary(context.endpoint, primary);
  await using upstream = await context.connect(serving);
  const running = releaseFromInfo(await readInfo(upstream, 'server'));
  if (olderLine(before.release, running))
    throw new RolloutError(
      'Stopped',
      `${serving} runs ${running}: a node of ${before.release} may not follow it (it would empty itself, or drop what it can't parse)`,
    );
  const baseline = await syncBaseline(upstream);
  const there = await runs(context, place, before.release);
  if (!there) await startAsBefore(context, place, before);
  await metByAll(context, place, before.release);
  await rejoin(context, { place, primary: serving, baseline, shard: '' });
  if (!there || !before.untouched) {
    await using connection = await context.connectToAct(place);
    await putBackRunning(connection, before);
  }
  await writeBefore(context, place, { ...before, released: [] });
  return { release: before.release };
}

/** Settings that were changed while it ran and never written to its file. */
export async function putBackRunning(connection: NodeConnection, before: Before): Promise<void> {
  const { running } = await readConfiguration(connection);
  for (const [directive, value] of Object.entries(before.running))
    if (running[directive] !== value) await setDirective(connection, directive, value).catch(whereRefused);
}

/** What can't be changed while it runs stays; a node that does not answer is another attempt's. */
function whereRefused(error: unknown): void {
  if (!(error instanceof RolloutError) || error.type !== 'MissingPermission') throw error;
}
