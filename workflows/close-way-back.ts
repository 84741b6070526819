import { inParallel } from '../model/in-parallel.js';
import { act } from './proxies.js';
import type { Run } from './run.js';

/** Standbys go, and what is known of each node as it was before: from here on nothing is taken back without loss. */
export async function closeWayBack(run: Run, when: string): Promise<void> {
  const { fallback, parallelShards } = run.assessment.policy;
  if (fallback === 'none') return;
  const { status } = run;
  const standbys = status.fallback?.standbys ?? [];
  const shards = [...new Set([...status.shards, ...standbys].map(({ shard }) => shard))];
  if (standbys.length > 0)
    run.note('note', `${when}: the standbys are removed, and there is no going back without loss`);
  await inParallel(shards, parallelShards, async (shard) => {
    const known = standbys.find((it) => it.shard === shard);
    // What is being given to it would have nowhere to go.
    await run.followers.stop(shard);
    const remove = (): Promise<void> =>
      act('removeStandby', `nothing is kept for ${shard} any more`, { ...run.order, shard });
    await (known ? run.step('remove standby', { shard, node: known.address }, remove) : remove());
    if (known) run.followers.tell({ ...known, state: 'removed' });
  });
}
