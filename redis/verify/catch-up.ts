import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import { parseInfo } from '../info.js';
import type { Side, Sides } from './side.js';
import { textOf } from '../resp.js';

/**
 * Reads the primary's offset and waits until the replica has passed it: whatever was read on the primary before is
 * on the replica afterwards. Equal offsets say that the stream arrived, not that the replica understood it.
 *
 * @throws RolloutError NotCaughtUp at the deadline, or when the two don't share one history
 */
export async function catchUp(sides: Sides, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  if (sides.reach) return sides.reach(timeoutMs, signal);
  const primary = await replication(sides.primary);
  const { address } = sides.primary.pipe;
  if (primary['role'] !== 'master')
    throw new RolloutError(
      'NotCaughtUp',
      `${address} should be the primary and is a replica of ${primary['master_host']}:${primary['master_port']}: ` +
        'compare again with the shard’s present primary',
    );
  const goal = Number(primary['master_repl_offset']);
  const deadline = Date.now() + timeoutMs;
  for (let pause = 1; ; pause = Math.min(100, pause * 2)) {
    const replica = await replication(sides.replica);
    const follows = replica['role'] === 'slave' && replica['master_replid'] === primary['master_replid'];
    if (follows && Number(replica['slave_repl_offset']) >= goal) return;
    if (Date.now() > deadline)
      throw new RolloutError(
        'NotCaughtUp',
        `${sides.replica.pipe.address} did not pass offset ${goal} of ${address} within ${timeoutMs} ms: ` +
          `role ${replica['role']}, link ${replica['master_link_status'] ?? 'none'}, ` +
          `offset ${replica['slave_repl_offset'] ?? 'none'}` +
          (follows ? '' : `, replication id ${replica['master_replid']} instead of ${primary['master_replid']}`),
      );
    await sleep(pause, undefined, signal ? { signal } : {});
  }
}

async function replication(side: Side): Promise<Record<string, string>> {
  return parseInfo(textOf(await side.pipe.ask('INFO', 'replication')));
}
