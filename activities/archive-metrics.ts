import { metricMeter } from '@temporalio/activity';
import type { ArchiveState } from '../model/archive.js';

/** Sets what a worker's metrics say of one shard's archive. */
export function archiveGauges(tags: { deployment: string; shard: string }): (state: ArchiveState) => void {
  const gauge = (name: string, unit: string, description: string): ((value: number) => void) => {
    const made = metricMeter.createGauge(`redis_rollout_archive_${name}`, 'int', unit, description);
    return (value) => made.set(value, tags);
  };
  const behind = gauge('behind_ms', 'ms', 'How old the oldest byte is that arrived and is not in the target yet');
  const held = gauge('held_bytes', 'By', 'Bytes that arrived and are not in the target yet');
  const linked = gauge('linked', '{link}', '1 while a node is read from, else 0');
  // A gauge keeps its last value when its archive ends: by this it is known to be old.
  const at = gauge('at_seconds', 's', 'When the others were so, Unix time');
  return (state) => {
    at(Math.round(Date.now() / 1000));
    behind(state.behindMs);
    held(state.heldBytes);
    linked(state.node === undefined ? 0 : 1);
  };
}
