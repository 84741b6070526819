import type { Order } from '../model/work.js';
import type { StandbyActivities } from '../model/fallback-work.js';
import { readInfo } from '../redis/node.js';
import { contextFor, heartbeating, type Context } from './context.js';
import type { Dependencies } from './dependencies.js';
import { freezeNow } from './standby-freeze.js';
import { standbysThatAre } from './standby-gone.js';
import { findStandby, noteStandby } from './standby-registry.js';
import { forgetOrigins, takeAway } from './standby-removal.js';
import { sync } from './standby-sync.js';

/** A shard's standby from its making to its end. Each looks at the world first, and does only what is still missing. */
export function standbyActivities(dependencies: Dependencies): StandbyActivities {
  const inContext =
    <Input extends Order, Output>(
      act: (context: Context, input: Input, tell: (progress: unknown) => void) => Promise<Output>,
    ) =>
    (input: Input): Promise<Output> =>
      heartbeating(async (tell) => act(await contextFor(dependencies, input), input, tell));

  return {
    addStandby: inContext(async (context, { shard, primary }, tell) => {
      const { address, release } = await sync(context, { shard, primary, tell });
      await using connection = await context.connect(address);
      const bytes = Number((await readInfo(connection, 'memory'))['used_memory'] ?? 0);
      await noteStandby(context.deploymentFolder, shard, { bytes });
      return { address, release, bytes };
    }),

    freezeStandby: inContext(async (context, { shard, primary }, tell) => {
      const { entry, point } = await freezeNow(context, { shard, primary, tell });
      return { address: entry.address, replid: point.replid, offset: point.offset };
    }),

    removeStandby: inContext(async (context, { shard }) => {
      const entry = await findStandby(context.deploymentFolder, shard);
      if (entry) await takeAway(context, entry);
      await forgetOrigins(context, shard);
    }),

    readStandbys: inContext(async (context) =>
      (await standbysThatAre(context)).map(({ shard, address, state, release }) => ({
        ...{ shard, address, state, release },
      })),
    ),
  };
}
