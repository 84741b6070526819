import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeConnection } from '../connection.js';
import { readReached, type Reached } from '../follow/record.js';
import { readInfo } from '../node.js';
import { poll } from '../roles.js';
import { ExpiriesLate } from './expiries-late.js';

interface DrainInput {
  standby: NodeConnection;
  record: string;
  /** The slots whose expiries were set right, as the record has them, and the margin that they carry. */
  exact: string;
  marginMs: number;
  /** Makes the refusal of a reason. */
  refuse: (why: string) => Error;
  signal?: AbortSignal;
}

/** How long a follower may take to where the primary is while writes go on, ms. */
const FOLLOWS_WITHIN_MS = 5000;
/** With more keys to be copied again than this, writes would be held for them. */
const DIRTY_AT_MOST = 16;

/**
 * How long the follower takes to where the primary is now, ms, with writes going on.
 *
 * @throws what `refuse` makes, where it follows somebody else, or not at all; ExpiriesLate
 */
export async function rehearseDrain(input: DrainInput & { primary: NodeConnection }): Promise<number> {
  const { primary, refuse } = input;
  const info = await readInfo(primary, 'replication');
  const begun = performance.now();
  const offset = Number(info['master_repl_offset']);
  const found = await reach(input, offset, FOLLOWS_WITHIN_MS, DIRTY_AT_MOST);
  if (![info['master_replid'], info['master_replid2']].includes(found.replid))
    throw refuse(
      `the standby's follower is at ${found.replid}, which is not the stream of ${primary.address}: follow it anew`,
    );
  return performance.now() - begun;
}

/**
 * Waits until the standby has all that is in the stream up to `offset`.
 *
 * @throws what `refuse` makes; ExpiriesLate
 */
export const drained = (input: DrainInput & { offset: number; withinMs: number }): Promise<Reached> =>
  reach(input, input.offset, input.withinMs, 0);

async function reach(input: DrainInput, offset: number, withinMs: number, dirty: number): Promise<Reached> {
  const { standby, record, exact, marginMs, refuse, signal } = input;
  const deadline = performance.now() + withinMs;
  const read = (): Promise<Reached | 'silent' | undefined> =>
    Promise.race([
      readReached(standby, { record, cluster: true }),
      sleep(Math.max(1, deadline - performance.now()), 'silent' as const, { ref: false }),
    ]);
  const found = await poll(
    read,
    (it) => it === undefined || (it !== 'silent' && it.offset >= offset && it.dirty <= dirty),
    { everyMs: 1, withinMs, ...(signal ? { signal } : {}) },
  );
  if (found === 'silent') throw refuse(`${standby.address} did not say within ${withinMs} ms how far it is`);
  if (found === undefined) throw refuse(`${standby.address} has no record of its follower (${record})`);
  if (found.offset < offset)
    throw refuse(
      `the standby's follower came to offset ${found.offset} within ${withinMs} ms, ${offset - found.offset} bytes before the primary's: look at its lag`,
    );
  if (found.dirty > dirty)
    throw refuse(`${found.dirty} keys still had to be copied to ${standby.address} after ${withinMs} ms`);
  if (found.exact !== exact || found.exactMs !== marginMs) throw new ExpiriesLate(standby.address);
  return found;
}
