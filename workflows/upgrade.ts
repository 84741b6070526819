import { workflowInfo } from '@temporalio/workflow';
import { rollingId } from '../model/names.js';
import type { LedgerResult } from '../model/evidence.js';
import type { Assessment } from '../model/work.js';
import { assess } from './assess.js';
import { Run, type Ended } from './run.js';
import type { RollingResult } from './rolling-upgrade.js';
import { stopped } from './failure.js';
import { closeWayBack } from './close-way-back.js';
import { holdAgainstBaseline } from './performance.js';
import { during, skipped } from './phases.js';
import { soak } from './soak.js';
import { compareAll, expectEveryNode, type Compared } from './validate.js';
import { approved, asClientsSee, beforeHop, withEvidence } from './with-evidence.js';
import { acts } from './staging-proxies.js';

export interface UpgradeResult {
  from: string;
  to: string;
  nodes: number;
  ledger?: LedgerResult;
}

/**
 * The whole programme: assess, approve, back up, roll shard by shard, validate, soak, finalize. Where one step can't be,
 * hop by hop: each is assessed, backed up, rolled, validated and soaked by itself; start and finalize are asked once.
 */
export async function upgrade(raw: unknown): Promise<Ended<UpgradeResult>> {
  return Run.of('upgrade', raw, async (run, { deployment, startedBy }) => {
    const first = await during(run, 'assessment', () => assess(run));
    const { from, to } = run.status;
    if (first.policy.staging === 'required') await during(run, 'staging', () => expectRehearsed(run));
    else skipped(run, 'staging', 'policy.staging is optional');
    return withEvidence(run, first.topology, async () => {
      await hop(run, first, startedBy);
      for (let last = first; last.to !== to;) {
        // The next hop's standbys are of the release that it starts from.
        await closeWayBack(run, `before the hop from ${last.to}`);
        last = await during(run, 'assessment', () => assess(run));
        await beforeHop(run, last.topology);
        await hop(run, last, startedBy);
      }
      await approved(run, 'finalize', `Finalize ${deployment} on ${to}?`);
      await run.hooks.at('before finalize');
      await during(run, 'finalize', () => finalize(run));
      return { from, to, nodes: run.status.progress.nodes };
    });
  });
}

async function finalize(run: Run): Promise<void> {
  run.phase('finalizing', 'reading every node’s release, and back every acknowledged write');
  await expectEveryNode(run);
  run.heedAbort();
  run.pointOfNoReturn = `${run.status.deployment} is finalized: no standby is left, and nothing but a backup could be restored`;
  await closeWayBack(run, 'finalized');
}

/** Where the policy asks for a rehearsal, nothing is begun before one of the same releases ended in go. */
async function expectRehearsed(run: Run): Promise<void> {
  const { from, to } = run.status;
  const summary = `was ${from} → ${to} rehearsed`;
  const found = await acts.readSignOff.executeWithOptions({ summary }, [{ ...run.order, from, to }]);
  if ('lacks' in found) throw stopped(found.lacks);
  run.note('check', `staging: ${found.go}`);
}

/** Every shard on the release that is next, validated and soaked. */
async function hop(run: Run, { policy, to, ...found }: Assessment, startedBy: string): Promise<void> {
  await run.hooks.at('before rolling');
  const compared = await during(run, 'rolling', () => roll(run, { policy, to, ...found }, startedBy));
  await run.hooks.at('after rolling');

  await run.hooks.at('before validation');
  await during(run, 'validation', () => validate(run, compared));
  await run.hooks.at('after validation');

  const before = to === run.status.to ? 'it is final' : `the next hop, to ${run.status.to}`;
  if (policy.soak === 0) skipped(run, 'soak', 'policy.soak is 0s');
  await run.hooks.at('before soak');
  const watched = (): Promise<void> =>
    soak(run, 'soaking', policy.soak, `every node runs ${to}; watched before ${before}`);
  await (policy.soak === 0 ? watched() : during(run, 'soak', watched));
  await run.hooks.at('after soak');
}

/** All shards, in a workflow of their own. */
async function roll(run: Run, { name, policy, topology, to }: Assessment, startedBy: string): Promise<Compared[]> {
  const isHop = run.status.via !== undefined;
  run.phase('rolling shards', `${topology.shards.length} shards, ${policy.parallelShards} at once`);
  const rolled = await run.child<RollingResult>(
    'rollingUpgrade',
    rollingId(workflowInfo().workflowId, isHop ? to : undefined),
    { deployment: name, to, startedBy, hop: isHop },
    `${name}: all shards → ${to}`,
  );
  run.family.tellNodes({ addresses: rolled.upgraded, release: to, state: 'upgraded' });
  return rolled.compared;
}

/** Clients, content, and what it was like before anything was touched. */
async function validate(run: Run, compared: readonly Compared[]): Promise<void> {
  const isHop = run.status.via !== undefined;
  run.phase('validating', 'every node’s release, and every replica against its primary');
  await run.gates.hold(
    ['topology', 'replication', ...asClientsSee],
    isHop ? `after the last node on ${run.assessment.to}` : 'after the last node',
  );
  await compareAll(run, await expectEveryNode(run), compared);
  await holdAgainstBaseline(run);
}
