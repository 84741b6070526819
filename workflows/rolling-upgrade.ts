import { shardId } from '../model/names.js';
import { chooseCanary, shardOrder } from '../model/planning/order.js';
import { workflowInfo } from '@temporalio/workflow';
import { assess } from './assess.js';
import { continueWith, isLong, MOST_EVENTS, takeUp, type Known } from './continue.js';
import { messageOf } from './failure.js';
import { inParallel } from '../model/in-parallel.js';
import { Run, type Ended } from './run.js';
import type { ShardResult } from './upgrade-shard.js';
import type { Compared } from './validate.js';
import { withEvidence } from './with-evidence.js';

export interface RollingResult {
  shards: string[];
  upgraded: string[];
  compared: Compared[];
}

/** What a continued run has to know: what is done, and which shards are left, in order. */
type Continued = Known & { rolled: RollingResult; left: string[] };

/** The root hears this often how far it is, however many shards there are. */
const WORDS_TO_ROOT = 50;

/**
 * All shards: the canary's first and alone, then the others, as many at once as the policy allows. When its history has
 * become long it begins no further shard, lets those that run come to their end, and continues as a new run.
 *
 * @param known of a run that continues another; nobody else gives it
 */
export async function rollingUpgrade(
  raw: unknown,
  known?: Continued,
  mostEvents = MOST_EVENTS,
): Promise<Ended<RollingResult>> {
  return Run.of('rollingUpgrade', raw, async (run, { deployment, startedBy, hop }) => {
    if (known) takeUp(run, known);
    const { policy, topology, to, pending } = known ? run.assessment : await assess(run);
    const canary = chooseCanary(topology.shards, to);
    const order = known?.rolled.shards ?? shardOrder(topology.shards, to, pending).map((shard) => shard.name);
    const rolled: RollingResult = known?.rolled ?? { shards: order, upgraded: [], compared: [] };
    let ended = 0;

    const upgrade = async (shard: string): Promise<void> => {
      await run.checkpoint();
      const status = run.status.shards.find((it) => it.shard === shard);
      if (status) status.state = 'in progress';
      const isCanary = canary?.shard === shard;
      run.phase(
        isCanary ? 'canary' : 'rolling shards',
        isCanary ? canary.reason : `${shard} of ${order.length} shards`,
        { shard },
      );
      try {
        const { upgraded, compared } = await run.child<ShardResult>(
          'upgradeShard',
          shardId(workflowInfo().workflowId, shard),
          { deployment, to, startedBy, shard, canary: isCanary, hop },
          `${deployment} ${shard}: → ${to}`,
        );
        rolled.upgraded.push(...upgraded);
        rolled.compared.push(...compared);
        run.family.tellNodes({ addresses: upgraded, release: to, state: 'upgraded' });
        if (++ended % Math.ceil(order.length / WORDS_TO_ROOT) === 0) run.family.tellRoot();
      } catch (error) {
        if (status) status.state = 'stopped';
        run.family.endChildren(`${shard} stopped: ${messageOf(error)}`);
        throw error;
      }
    };

    const roll = async (): Promise<RollingResult> => {
      let left = known?.left ?? order;
      if (canary && left[0] === canary.shard) {
        await upgrade(canary.shard);
        left = left.slice(1);
      }
      // As the root it has a probe running, which no other run could take over.
      const enough = (): boolean => !run.family.isRoot && isLong(mostEvents);
      left = await inParallel(left, policy.parallelShards, upgrade, enough);
      if (left.length > 0) return continueWith(run, raw, { rolled, left }, mostEvents);
      return rolled;
    };
    return run.family.isRoot ? withEvidence(run, topology, roll) : roll();
  });
}
