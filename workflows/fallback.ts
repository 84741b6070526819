import type { IncidentRecord, LedgerResult } from '../model/evidence.js';
import { formatDuration } from '../model/duration.js';
import { withoutWayBack } from '../model/fallback-steps.js';
import { inParallel } from '../model/in-parallel.js';
import type { FallbackAssessment } from '../model/work.js';
import { stopped } from './failure.js';
import { fallBackShard } from './fallback-shard.js';
import { Run, type Ended } from './run.js';
import { compareAll, expectEveryNode } from './validate.js';
import { underWatch } from './with-evidence.js';

export interface FallbackResult {
  from: string;
  to: string;
  shards: string[];
  ledger?: LedgerResult;
}

/**
 * Takes an upgrade back, at any step of it: each shard by what is seen of it now. One that was not handed over yet gets its
 * replicas back; of one that was, the standby takes over, the other nodes go back one by one, and the role returns to where
 * it was. Interrupted anywhere it is started again. Its id is the deployment's lock, or it is the child of who holds that.
 */
export async function fallback(raw: unknown): Promise<Ended<FallbackResult>> {
  return Run.of('fallback', raw, async (run, { startedBy, reason, shards: asked, gate }) => {
    const found = await run.assessFallback(asked);
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
      mayGoBack(found);
      await run.followers.look();
      await run.gates.hold(['topology'], 'before anything is taken back');
      run.phase('falling back', `${shards.length} shards to ${to}: ${reason}`);
      await inParallel(shards, policy.parallelShards, (shard) => fallBackShard(run, { shard, to, incident }));

      run.phase('validating', 'every node’s release, and every replica against its primary');
      await run.gates.hold(['topology', 'replication'], 'after the last node');
      const returned = run.record.verify.map(({ replica, primary }) => ({ replica, primary }));
      await compareAll(run, await expectEveryNode(run, shards), returned);
      return { from, to, shards };
    };
    try {
      return await (run.family.isRoot ? underWatch(run, goBack) : goBack());
    } finally {
      Object.assign(incident, { endedAt: run.now(), class: run.status.fallback?.class ?? incident.class });
    }
  });
}

/**
 * Asked of all shards before any is touched: half of them back would help nobody.
 *
 * @throws Stopped, with what a restore would lose
 */
function mayGoBack(found: FallbackAssessment): void {
  const { topology, backups, to } = found;
  const bare = withoutWayBack(found);
  if (bare.length === 0) return;
  const lines = bare.map(({ name, primary }) => {
    const backup = backups.find(({ shard }) => shard === name);
    const loss = backup
      ? `its newest backup is of ${backup.at} (${backup.node}): restored from it, every write of the ${formatDuration(Math.max(0, Date.now() - Date.parse(backup.at)))} since is lost`
      : 'there is no complete backup of it either';
    return `${name} is served by ${primary.address} on ${primary.release}, and has no standby: ${loss}.`;
  });
  throw stopped(
    [
      `${bare.length} of ${topology.shards.length} shards can’t go back to ${to} without loss, and nothing was done.`,
      ...lines,
      'A backup is restored by hand (docs/fallback.md), or fall back with the other shards alone, each named.',
    ].join('\n'),
    undefined,
    'StandbyLost',
  );
}
