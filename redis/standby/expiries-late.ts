import { RolloutError } from '../../model/failures.js';
import type { SlotRange } from '../../model/topology.js';

/**
 * The standby's keys expire later than its primary's by more than was asked for: its follower has begun anew since they were
 * set right, as it must where its worker was away for longer than the small margin. Nothing was done; they are to be set
 * right once more.
 */
export class ExpiriesLate extends RolloutError {
  constructor(standby: string) {
    super('HandoverFailed', `the keys of ${standby} expire later than its primary's again: nothing was cut over`);
  }
}

/** How a follower's record has the slots whose expiries were set right. */
export const exactSlots = (ranges: readonly SlotRange[]): string =>
  ranges.map(([from, to]) => `${from}-${to}`).join(' ');
