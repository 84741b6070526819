import type { IncidentRecord, LedgerResult } from '../model/evidence.js';
import { inParallel } from '../model/in-parallel.js';
import { mayGoBack } from './approve-restore.js';
import { assessFallback } from './assess.js';
import { fallBackShard } from './fallback-shard.js';
import { stopped } from './failure.js';
import { Run, type Ended } from './run.js';
import { compareAll, expectEveryNode } from './validate.js';
import { underWatch } from './with-evidence.js';

const lostText = (shard: string, why: string): string =>
  `nothing follows ${shard} for its standby any more, so it was not cut over: ${why}`;

export interface FallbackResult {
  from: string;
  to: string;
  shards: string[];
  ledger?: LedgerResult;
}

/**
 * Takes an upgrade back, at any step of it: each shard by what is seen of it now. One that was not handed over yet gets its
 * replicas back; of one that was, the standby takes over, the other nodes go back one by one, and the role returns to where
 * it was; one that has none is restored from its backup where people say so. Interrupted anywhere it is started again. Its id is the deployment's lock, or it is the child of who holds that.
 */
export async function fallback(raw: unknown): Promise<Ended<FallbackResult>> {
  return Run.of('fallback', raw, async (run, { startedBy, reason, shards: asked, gate, restore }) => {
    run.gates.excuseDown = true;
    run.gates.lostStandby = (shard) => {
      const why = run.followers.lost(shard);
      return why === undefined ? undefined : stopped(lostText(shard, why), undefined, 'StandbyLost');
    };
    if (asked.length > 0) run.status.named = asked;
    const found = await assessFallback(run, asked);
    const { from, to, topology, policy } = found;
    const shards = topology.shards.map(({ name }) => name);
    const incident: IncidentRecord = {
      ...{
        by: startedBy,
        reason,
        from,
        to,
        at: run.now(),
        class: run.status.fallback?.class ?? ('restore-only' as const),
        shards: [],
      },
      ...(gate === undefined ? {} : { gate }),
    };
    (run.record.incidents ??= []).push(incident);
    const goBack = async (): Promise<FallbackResult> => {
      const restorable = await mayGoBack(run, found, { restore, startedBy });
      await run.followers.look();
      await run.gates.hold(['topology'], 'before anything is taken back');
      await run.hooks.at('before fallback');
      run.phase('falling back', `${shards.length} shards to ${to}: ${reason}`);
      await inParallel(shards, policy.parallelShards, (shard) => {
        const backup = restorable.find((it) => it.shard === shard)?.backup;
        return fallBackShard(run, { shard, to, incident, ...(backup ? { backup } : {}) });
      });

      run.phase('validating', 'every node’s release, and every replica against its primary');
      await run.gates.hold(['topology', 'replication'], 'after the last node');
      const returned = run.record.verify.map(({ replica, primary }) => ({ replica, primary }));
      await compareAll(run, await expectEveryNode(run, shards), returned);
      await run.hooks.at('after fallback');
      return { from, to, shards };
    };
    try {
      return await (run.family.isRoot ? underWatch(run, goBack) : goBack());
    } finally {
      const { restores = [] } = run.record;
      const found = restores.length > 0 ? 'restore-only' : (run.status.fallback?.class ?? incident.class);
      Object.assign(incident, { endedAt: run.now(), class: found });
    }
  });
}
