import type { ShardView } from '../model/topology.js';
import type { NodePlace, SyncBaseline } from '../model/work.js';
import { failureTypeOf, messageOf, stopped } from './failure.js';
import { act } from './proxies.js';
import type { Run } from './run.js';
import { noteComparison } from './validate.js';

// What is done to one node that is out of replication, whichever role it had.

/** A node on its way back: who it is, whom it follows, and the counters that tell how it came back. */
interface Returning {
  shard: string;
  node: NodePlace;
  primary: string;
  baseline: SyncBaseline;
  to: string;
}

/** The new version, back into replication, compared with its primary, and given back its own settings. */
export async function swapAndRejoin(run: Run, returning: Returning): Promise<void> {
  const { shard, node, primary, to } = returning;
  const where = { shard, node: node.address };
  const order = { ...run.order, place: node, primary, shard };
  const { notes } = await run.step(`start ${to}`, { ...where, kind: 'swap' }, () =>
    act('swapVersion', `${node.address} → ${to}`, { ...order, to }),
  );
  for (const note of notes) run.note('note', `configuration: ${note}`, where);
  await rejoinCompareRelease(run, returning);
}

/** What is left of a node that runs the new version already. */
export async function rejoinCompareRelease(run: Run, { shard, node, primary, baseline, to }: Returning): Promise<void> {
  const where = { shard, node: node.address };
  const order = { ...run.order, place: node, primary, shard };
  const resync = await run.step('rejoin', where, () =>
    act('rejoin', `${node.address} rejoins ${primary}`, { ...order, baseline }),
  );
  run.record.resyncs.push({ ...resync, release: to });
  if (resync.kind === 'full')
    run.note('note', `${node.address} needed a full resync: its primary's backlog no longer reached back`, where);
  await compare(run, shard, node, primary);
  await release(run, shard, node, to);
}

/** Key by key with its primary; a difference that stays is a failure. */
export async function compare(run: Run, shard: string, node: NodePlace, primary: string): Promise<void> {
  const where = { shard, node: node.address };
  const compared = await run.step('verify', where, () =>
    act('verifyNode', `compare ${node.address} with ${primary}`, { ...run.order, place: node, primary, shard }),
  );
  run.record.verify.push(compared);
  noteComparison(run, compared);
}

/** Its own settings again: it may be promoted and is upgraded. */
export async function release(run: Run, shard: string, node: NodePlace, to: string): Promise<void> {
  const where = { shard, node: node.address };
  const differences = await run.step('release', where, () =>
    act('release', `release ${node.address}`, { ...run.order, place: node }),
  );
  run.record.configuration.push(...differences);
  run.record.releases.push({ node: node.address, before: node.release, after: to });
  run.family.tellNodes({ addresses: [node.address], release: to, state: 'upgraded' });
}

/** A replica that failed goes back to its old version by itself; the operation stops and says so. */
export async function takeBack(
  run: Run,
  shard: ShardView,
  node: NodePlace,
  swapped: boolean,
  error: unknown,
): Promise<Error> {
  const where = { shard: shard.name, node: node.address };
  const reason = messageOf(error);
  run.phase('reverting', `${node.address}: ${reason}`, where);
  try {
    const { release } = await run.step('revert', where, () =>
      act('revert', `${node.address} back to ${node.release}`, {
        ...run.order,
        place: node,
        primary: shard.primary.address,
      }),
    );
    run.family.tellNodes({ addresses: [node.address], release, state: 'reverted' });
    const failed = swapped ? `failed on the new version and is back on ${release}` : `failed and runs ${release}`;
    return stopped(`${node.address} ${failed}: ${reason}`, error);
  } catch (second) {
    run.family.tellNodes({ addresses: [node.address], release: node.release, state: 'failed' });
    // What was refused was refused because somebody else serves by now, and says who.
    const serves = failureTypeOf(second) === 'Stopped' ? '' : `. ${shard.primary.address} serves the shard`;
    return stopped(
      `${node.address} failed (${reason}), and could not be taken back: ${messageOf(second)}${serves}`,
      error,
    );
  }
}
