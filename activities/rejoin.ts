import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../model/failures.js';
import type { ResyncRecord } from '../model/evidence.js';
import type { NodePlace, SyncBaseline } from '../model/work.js';
import { appendOnlyAgain, connectWhenUp, readInfo } from '../redis/node.js';
import { readBefore } from './before.js';
import type { Context } from './context.js';
import { mustRun } from './running.js';

/** How long a link may be down while nothing is loaded or synced, ms. */
const LINK_PATIENCE_MS = 60_000;

/**
 * Waits until a restarted node follows its primary again and has what the primary had when the wait began, and tells
 * how: by partial resync, or by a full one. Then the append-only file, if there was one.
 */
export async function rejoin(
  context: Context,
  { place, primary, baseline, shard }: { place: NodePlace; primary: string; baseline: SyncBaseline; shard: string },
): Promise<ResyncRecord> {
  const begun = performance.now();
  await using node = await connectWhenUp(context.endpoint, place.address, {
    withinMs: 30_000,
    onMiss: () => mustRun(context, place),
    signal: context.signal,
  });
  await using upstream = await context.connect(primary);
  const wanted = Number((await readInfo(upstream, 'replication'))['master_repl_offset']);

  let progress = '';
  let moved = performance.now();
  for (;;) {
    context.signal.throwIfAborted();
    await mustRun(context, place);
    const info = await readInfo(node);
    if (info['loading'] === '0' && info['master_link_status'] === 'up' && Number(info['slave_repl_offset']) >= wanted)
      break;
    const latest = [
      'loading_loaded_bytes',
      'master_sync_left_bytes',
      'master_sync_read_bytes',
      'slave_repl_offset',
      'master_link_status',
    ]
      .map((field) => info[field])
      .join();
    if (latest !== progress) [progress, moved] = [latest, performance.now()];
    if (performance.now() - moved > LINK_PATIENCE_MS)
      throw new RolloutError(
        'NotCaughtUp',
        `${place.address} made no progress for ${LINK_PATIENCE_MS / 1000} s: link ${info['master_link_status'] ?? '?'} to ${info['master_host'] ?? '?'}:${info['master_port'] ?? '?'}, offset ${info['slave_repl_offset'] ?? '?'} of ${wanted}`,
      );
    await sleep(50);
  }

  const now = await readInfo(upstream);
  // Partial is only what is proven: by the same primary's counters, and by no full resync since.
  const partial =
    now['run_id'] === baseline.runId &&
    Number(now['sync_full']) === baseline.full &&
    Number(now['sync_partial_ok']) > baseline.partial;
  const before = await readBefore(context, place);
  if (before?.running['appendonly'] === 'yes') await appendOnlyAgain(node, { signal: context.signal });
  return { node: place.address, shard, kind: partial ? 'partial' : 'full', ms: Math.round(performance.now() - begun) };
}
