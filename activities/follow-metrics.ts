import { metricMeter } from '@temporalio/activity';
import type { FollowState } from '../model/follow-state.js';

/** Sets what a worker's metrics say of one shard's follower. */
export function followGauges(tags: { deployment: string; shard: string }): (state: FollowState) => void {
  const gauge = (name: string, unit: string, description: string): ((value: number) => void) => {
    const made = metricMeter.createGauge(`redis_rollout_follow_${name}`, 'int', unit, description);
    return (value) => made.set(value, tags);
  };
  const bytes = gauge('lag_bytes', 'By', 'Bytes of the primary’s stream that the standby does not have yet');
  const ms = gauge('lag_ms', 'ms', 'How long ago the primary was where the standby is');
  const dirty = gauge('dirty_keys', '{key}', 'Keys that are still to be copied again');
  const compared = gauge('compared_passes', '{pass}', 'How often every key was compared with the primary’s');
  const different = gauge('different_keys', '{key}', 'Keys that differ from the primary’s, and are copied again');
  // A gauge keeps its last value when its follower ends: by this it is known to be old.
  const at = gauge('at_seconds', 's', 'When the others were so, Unix time');
  return (state) => {
    at(Math.round(state.at / 1000));
    bytes(state.lagBytes);
    ms(state.lagMs);
    dirty(state.dirty);
    compared(state.comparison?.passes ?? 0);
    different(state.comparison?.different ?? 0);
  };
}
