import { setTimeout as sleep } from 'node:timers/promises';
import { judgeCatchUp, type CatchUpLimits, type CatchUpLook, type CatchUpSeen } from '../model/catch-up.js';
import { RolloutError } from '../model/failures.js';
import type { ResyncRecord } from '../model/evidence.js';
import type { NodePlace, SyncBaseline } from '../model/work.js';
import type { NodeConnection } from '../redis/connection.js';
import { appendOnlyAgain, connectWhenUp, getDirective, readInfo } from '../redis/node.js';
import { servingPrimary } from '../redis/roles.js';
import { readBefore } from './before.js';
import type { Context } from './context.js';
import { mustRun } from './running.js';

/** How long a node may come no nearer to its primary, ms. */
const PATIENCE_MS = 60_000;
/** A full resync may be cut off once or twice; one that is begun again and again never comes to its end. */
const FULL_RESYNCS = 3;

export interface RejoinInput {
  place: NodePlace;
  primary: string;
  baseline: SyncBaseline;
  shard: string;
  /** How long it may come no nearer, ms. */
  patienceMs?: number;
  /** Is told how far it is. */
  tell?: (progress: CatchUpLook) => void;
}

/** A primary's counters before a replica goes away. */
export async function syncBaseline(primary: NodeConnection): Promise<SyncBaseline> {
  const info = await readInfo(primary);
  return {
    runId: info['run_id'] ?? '',
    full: Number(info['sync_full'] ?? 0),
    partial: Number(info['sync_partial_ok'] ?? 0),
  };
}

/**
 * Waits until a restarted node follows its primary again, has what the primary had when the wait began, and is within
 * `policy.gates.maxLag`; and tells how: by partial resync, or by a full one. Then the append-only file, if there was one.
 *
 * @throws RolloutError NotCaughtUp when it comes no nearer, or begins one full resync after the other
 */
export async function rejoin(context: Context, input: RejoinInput): Promise<ResyncRecord> {
  const { place, primary, baseline, shard, patienceMs = PATIENCE_MS, tell } = input;
  const begun = performance.now();
  await using node = await connectWhenUp(context.endpoint, place.address, {
    withinMs: 30_000,
    onMiss: () => mustRun(context, place),
    signal: context.signal,
  });
  const serving = await servingPrimary(context.endpoint, primary);
  await using upstream = await context.connect(serving);
  const limits: CatchUpLimits = {
    wanted: Number((await readInfo(upstream, 'replication'))['master_repl_offset']),
    maxLag: context.deployment.policy.gates.maxLag,
    patienceMs,
    fullResyncs: FULL_RESYNCS,
  };
  let seen: CatchUpSeen | undefined;
  for (;;) {
    context.signal.throwIfAborted();
    await mustRun(context, place);
    const found = await look(node, upstream);
    tell?.(found);
    const judged = judgeCatchUp(found, seen, limits);
    if (judged.verdict.state === 'pass') break;
    if (judged.verdict.state === 'fail') throw await notCaughtUp(place, upstream, judged.verdict.reason);
    seen = judged.seen;
    await sleep(50);
  }

  const now = await readInfo(upstream);
  // Partial is only what is proven: by the same primary's counters, and by no full resync since; by one that somebody
  // promoted meanwhile having given no full resync at all.
  const partial =
    serving === primary
      ? now['run_id'] === baseline.runId &&
        Number(now['sync_full']) === baseline.full &&
        Number(now['sync_partial_ok']) > baseline.partial
      : Number(now['sync_full']) === 0;
  const before = await readBefore(context, place);
  if (before?.running['appendonly'] === 'yes') {
    await using acting = await context.connectToAct(place);
    await appendOnlyAgain(acting, { signal: context.signal });
  }
  return { node: place.address, shard, kind: partial ? 'partial' : 'full', ms: Math.round(performance.now() - begun) };
}

async function look(node: NodeConnection, upstream: NodeConnection): Promise<CatchUpLook> {
  const primaryOffset = Number((await readInfo(upstream, 'replication'))['master_repl_offset']);
  const info = await readInfo(node);
  const number = (field: string): number => Number(info[field] ?? 0);
  return {
    at: performance.now(),
    loading: info['loading'] !== '0',
    loadedBytes: number('loading_loaded_bytes'),
    syncing: info['master_sync_in_progress'] === '1',
    // Since 6.0; before, what is left is told, and counts down.
    receivedBytes: number('master_sync_read_bytes') || -number('master_sync_left_bytes'),
    link: info['master_link_status'] === 'up' ? 'up' : 'down',
    offset: number('slave_repl_offset'),
    primaryOffset,
  };
}

/** A primary that cuts its replicas off for their output buffer is the commonest reason, and its log alone says so. */
async function notCaughtUp(place: NodePlace, upstream: NodeConnection, reason: string): Promise<RolloutError> {
  const limits = await getDirective(upstream, 'client-output-buffer-limit').catch(() => undefined);
  const replica = /\b(?:slave|replica) (\d+ \d+ \d+)/.exec(limits ?? '')?.[1];
  return new RolloutError(
    'NotCaughtUp',
    `${place.address} ${reason}. Its primary ${upstream.address} cuts a replica off at client-output-buffer-limit replica ${replica ?? '?'} (bytes, bytes, seconds)`,
  );
}
