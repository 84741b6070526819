import { formatSize } from './duration.js';
import { fail, pass, wait, type Verdict } from './verdict.js';

/** One look at a node that comes back to its primary. Offsets, sizes: bytes. */
export interface CatchUpLook {
  /** Of a clock that only goes forward, ms. */
  at: number;
  loading: boolean;
  loadedBytes: number;
  /** It receives a full resync. */
  syncing: boolean;
  receivedBytes: number;
  link: 'up' | 'down';
  offset: number;
  /** Its primary's, read before its own. */
  primaryOffset: number;
}

export interface CatchUpLimits {
  /** What the primary had when the wait began. */
  wanted: number;
  /** How far behind it may be at the end. */
  maxLag: number;
  /** How long it may come no nearer, ms. */
  patienceMs: number;
  /** How many full resyncs it may begin. */
  fullResyncs: number;
}

/** What was seen so far: fullResyncs begun, and since when it has come no nearer. */
export interface CatchUpSeen {
  fullResyncs: number;
  syncing: boolean;
  /** The best of each stage. */
  loadedBytes: number;
  receivedBytes: number;
  lag: number;
  nearerAt: number;
}

/**
 * Has it caught up, does it come nearer, or will it never? Nearer is only what was never reached before: a resync that
 * starts over for ever and a lag that grows move too.
 */
export function judgeCatchUp(
  look: CatchUpLook,
  before: CatchUpSeen | undefined,
  limits: CatchUpLimits,
): { verdict: Verdict; seen: CatchUpSeen } {
  const begins = look.syncing && before?.syncing !== true;
  const fullResyncs = (before?.fullResyncs ?? 0) + (begins ? 1 : 0);
  // What comes after a full resync is counted anew: how many there may be is limited.
  const best = begins || !before ? { loadedBytes: 0, receivedBytes: 0, lag: Infinity } : before;
  const linked = look.link === 'up' && !look.loading;
  const lag = linked ? Math.max(0, look.primaryOffset - look.offset) : Infinity;
  const nearer =
    !before ||
    begins ||
    (look.loading && look.loadedBytes > best.loadedBytes) ||
    (look.syncing && look.receivedBytes > best.receivedBytes) ||
    lag < best.lag;
  const seen: CatchUpSeen = {
    fullResyncs,
    syncing: look.syncing,
    loadedBytes: Math.max(best.loadedBytes, look.loading ? look.loadedBytes : 0),
    receivedBytes: Math.max(best.receivedBytes, look.syncing ? look.receivedBytes : 0),
    lag: Math.min(best.lag, lag),
    nearerAt: nearer ? look.at : before.nearerAt,
  };
  return { verdict: verdictOf(look, seen, limits), seen };
}

function verdictOf(look: CatchUpLook, seen: CatchUpSeen, limits: CatchUpLimits): Verdict {
  const { link, loading, syncing, offset, primaryOffset } = look;
  const behind = Math.max(0, primaryOffset - offset);
  if (!loading && link === 'up' && offset >= limits.wanted && behind <= limits.maxLag)
    return pass(`${formatSize(behind)} behind`);
  const clears = `the link is up and it is at most ${formatSize(limits.maxLag)} behind`;
  if (seen.fullResyncs > limits.fullResyncs)
    return fail(`began ${seen.fullResyncs} full resyncs and came to the end of none`, clears);
  const stands = `link ${link}, ${loading ? 'loading, ' : ''}${syncing ? 'taking a full resync, ' : ''}offset ${offset} of ${primaryOffset}, ${formatSize(behind)} behind`;
  if (look.at - seen.nearerAt > limits.patienceMs)
    return fail(`came no nearer for ${Math.round(limits.patienceMs / 1000)} s: ${stands}`, clears);
  return wait(stands, clears);
}
