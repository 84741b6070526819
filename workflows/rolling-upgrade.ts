import { shardId } from '../model/names.js';
import { chooseCanary, shardOrder } from '../model/planning/order.js';
import { workflowInfo } from '@temporalio/workflow';
import { inParallel } from './in-parallel.js';
import { Run, type Ended } from './run.js';
import type { ShardResult } from './upgrade-shard.js';
import type { Compared } from './validate.js';
import { withEvidence } from './with-evidence.js';

export interface RollingResult {
  shards: string[];
  upgraded: string[];
  compared: Compared[];
}

/** All shards: the canary's first and alone, then the others, as many at once as the policy allows. */
export async function rollingUpgrade(raw: unknown): Promise<Ended<RollingResult>> {
  return Run.of('rollingUpgrade', raw, async (run, { deployment, startedBy, hop }) => {
    const { policy, topology, to, pending } = await run.assess();
    const canary = chooseCanary(topology.shards, to);
    const order = shardOrder(topology.shards, to, pending).map((shard) => shard.name);
    const results: ShardResult[] = [];

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
        const result = await run.child<ShardResult>(
          'upgradeShard',
          shardId(workflowInfo().workflowId, shard),
          { deployment, to, startedBy, shard, canary: isCanary, hop },
          `${deployment} ${shard}: → ${to}`,
        );
        results.push(result);
        run.people.tellNodes({ addresses: result.upgraded, release: to, state: 'upgraded' });
      } catch (error) {
        if (status) status.state = 'stopped';
        throw error;
      }
    };

    const roll = async (): Promise<RollingResult> => {
      const waiting = [...order];
      if (canary && waiting[0] === canary.shard) await upgrade(waiting.splice(0, 1)[0] ?? canary.shard);
      await inParallel(waiting, policy.parallelShards, upgrade);
      return {
        shards: order,
        upgraded: results.flatMap((it) => it.upgraded),
        compared: results.flatMap((it) => it.compared),
      };
    };
    return run.people.isRoot ? withEvidence(run, topology, roll) : roll();
  });
}
