import type { SlotRange } from '../../../model/topology.js';
import type { Endpoint } from '../../../redis/connection.js';
import { follow } from '../../../redis/follow/follow.js';

/** What a follower in a process of its own is told. */
export interface FollowerProcessInput {
  primary: Endpoint;
  standby: Endpoint;
  slots: readonly SlotRange[];
  source: string;
  target: string;
}

const { primary, ...input } = JSON.parse(process.argv[2] ?? '{}') as FollowerProcessInput;
// Not left behind by a test that ends early.
process.once('disconnect', () => process.exit(2));
await follow({
  ...input,
  primary: () => Promise.resolve(primary),
  signal: new AbortController().signal,
  onProgress: (state) => process.send?.(state),
});
