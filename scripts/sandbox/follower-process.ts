import type { SlotRange } from '../../model/topology.js';
import { connect, type Endpoint } from '../../redis/connection.js';
import { follow } from '../../redis/follow/follow.js';

/** What a follower in a process of its own is told. */
export interface FollowerProcessInput {
  /** One of them is primary. */
  primaries: readonly Endpoint[];
  standby: Endpoint;
  slots: readonly SlotRange[];
  source: string;
  target: string;
}

const { primaries, ...input } = JSON.parse(process.argv[2] ?? '{}') as FollowerProcessInput;
// Not left behind by a test that ends early.
process.once('disconnect', () => process.exit(2));
await follow({
  ...input,
  primary: primaryNow,
  signal: new AbortController().signal,
  onProgress: (state) => process.send?.(state),
});

/** Whoever says so; where nobody does, any: it is found out soon enough. */
async function primaryNow(): Promise<Endpoint> {
  for (const it of primaries) if (await isPrimary(it).catch(() => false)) return it;
  const [any] = primaries;
  if (!any) throw new Error('a primary to be followed');
  return any;
}

async function isPrimary(endpoint: Endpoint): Promise<boolean> {
  await using node = await connect(endpoint, { timeoutMs: 2000 });
  return String(await node.call('ROLE')).startsWith('master');
}
