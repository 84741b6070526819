import { SLOTS, type SlotRange } from '../../model/topology.js';
import { tagsFor } from '../probe/slot.js';

/** Where a standby stands in its primary's replication stream: everything up to and with `offset` is in its dataset. */
export interface FollowPoint {
  replid: string;
  offset: number;
}

/** The hash that says it, in the standby's own data, so that it is as old or new as the data is; in the shard's slots. */
export const followKey = (ranges: readonly SlotRange[]): string =>
  `redis-rollout:{${tagsFor(ranges.length > 0 ? ranges : [[0, SLOTS - 1]], 1)[0] ?? ''}}:follow`;

/**
 * How much later every expiry of a standby is than its primary's, ms. A standby is primary to itself and would expire a
 * key that the stream, still on its way, renews; the primary's own DEL ends it.
 */
export const EXPIRY_MARGIN_MS = 3_600_000;
