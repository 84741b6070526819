import { workflowInfo } from '@temporalio/workflow';
import { rollingId } from '../model/names.js';
import type { LedgerResult } from '../model/evidence.js';
import { Run, stopped, type Ended } from './run.js';
import type { RollingResult } from './rolling-upgrade.js';
import { compareAll, expectEveryNode } from './validate.js';
import { asClientsSee, withEvidence } from './with-evidence.js';

export interface UpgradeResult {
  from: string;
  to: string;
  nodes: number;
  ledger?: LedgerResult;
}

/** The whole programme: assess, approve, back up, roll shard by shard, validate, soak, finalize. */
export async function upgrade(raw: unknown): Promise<Ended<UpgradeResult>> {
  return Run.of('upgrade', raw, async (run, { deployment, startedBy }) => {
    const { policy, topology, from, to } = await run.assess();
    const { nodes, upgraded } = run.status.progress;
    if (upgraded === nodes)
      throw stopped(
        `to: expected a release newer than what runs, found ${to}: all ${nodes} nodes of ${deployment} run it already`,
        undefined,
        'BadTarget',
      );
    return withEvidence(run, topology, async () => {
      run.phase('rolling shards', `${topology.shards.length} shards, ${policy.parallelShards} at once`);
      const rolled = await run.child<RollingResult>(
        'rollingUpgrade',
        rollingId(workflowInfo().workflowId),
        { deployment, to, startedBy },
        `${deployment}: all shards → ${to}`,
      );
      run.people.tellNodes({ addresses: rolled.upgraded, release: to, state: 'upgraded' });

      run.phase('validating', 'every node’s release, and every replica against its primary');
      await run.gates.hold(['topology', 'replication', ...asClientsSee], 'after the last node');
      await compareAll(run, await expectEveryNode(run), rolled.compared);
      await run.soak('soaking', policy.soak, `every node runs ${to}; watched before it is final`);
      await run.approval('finalize', policy.approvals.finalize, `Finalize ${deployment} on ${to}?`);
      run.phase('finalizing', 'reading every node’s release, and back every acknowledged write');
      await expectEveryNode(run);
      return { from, to, nodes };
    });
  });
}
