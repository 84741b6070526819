import { RolloutError } from '../../model/failures.js';
import { SLOTS, slotCount, type SlotRange } from '../../model/topology.js';
import type { NodeConnection } from '../connection.js';
import { poll } from '../roles.js';
import { exactSlots } from '../standby/expiries-late.js';
import { EXPIRY_MARGIN_MS } from '../standby/point.js';
import type { Applier } from './applier.js';
import { askStandby, readRecord } from './record.js';

/** Slots that are set right in one go. */
const SLOTS_AT_ONCE = 32;

/**
 * Brings the margins of expiry nearer to what was asked for, some slots at a time. What it puts in has its place among the
 * batches: a command before it was written with the old margin, one after it is with the new.
 */
export function adjustExpiries(
  applier: Applier,
  wantedMs: number,
  slots: readonly SlotRange[],
  databases: number,
): void {
  const { margins } = applier;
  const back = wantedMs >= EXPIRY_MARGIN_MS;
  // From one small margin to another by way of the large one.
  const loosen = back || (margins.count > 0 && margins.exactMs !== wantedMs);
  if (margins.count === 0) margins.choose(wantedMs);
  const by = loosen ? EXPIRY_MARGIN_MS - margins.exactMs : margins.exactMs - EXPIRY_MARGIN_MS;
  const all: readonly SlotRange[] = slots.length > 0 ? slots : [[0, SLOTS - 1]];
  const chosen: number[] = [];
  const most = slots.length > 0 ? SLOTS_AT_ONCE : SLOTS;
  for (const [from, to] of all)
    for (let slot = from; slot <= to && chosen.length < most; slot++)
      if (margins.isExact(slot) === loosen) chosen.push(slot);
  if (chosen.length === 0) return;
  for (const slot of chosen) margins.set(slot, !loosen);
  const ranges = exactSlots(margins.ranges());
  const where = slots.length > 0 ? chosen : Array.from({ length: databases }, (_, db) => db);
  const least = loosen ? 0 : margins.exactMs;
  const words = [slots.length > 0 ? '@exact' : '@exactall', by, least, ranges, margins.exactMs, ...where];
  applier.insert(words.map((it) => Buffer.from(String(it))));
}

/**
 * Has the follower of a standby set every expiry to the primary's plus `marginMs`, slot by slot while it follows on, and
 * waits until that is so by a batch that was applied since: what was so before may be undone by a follower that begins
 * anew. With `EXPIRY_MARGIN_MS` it is taken back.
 *
 * @param input.marginMs more than the follower's lag and the clocks' difference together; half of `policy.ttlTolerance`
 * @throws RolloutError NotCaughtUp where the follower didn't in time; StandbyLost where there is no record
 */
export async function setExpiriesRight(input: {
  standby: NodeConnection;
  record: string;
  /** Empty for a server outside of a cluster. */
  slots: readonly SlotRange[];
  marginMs: number;
  withinMs: number;
  signal?: AbortSignal;
}): Promise<void> {
  const { standby, record, slots, marginMs, withinMs, signal } = input;
  const cluster = slots.length > 0;
  const of = { record, cluster };
  const goal = marginMs >= EXPIRY_MARGIN_MS ? 0 : slotCount(cluster ? slots : [[0, SLOTS - 1]]);
  const lost = (): RolloutError =>
    new RolloutError('StandbyLost', `${standby.address} has no record of its follower (${record})`);
  const before = await readRecord(standby, of);
  if (!before) throw lost();
  await askStandby(standby, cluster, [['HSET', record, 'wanted', Math.round(marginMs)]]);
  const found = await poll(
    () => readRecord(standby, of),
    (it) =>
      it === undefined ||
      (it.step > before.step && slotCount(it.exact) === goal && (goal === 0 || it.exactMs === Math.round(marginMs))),
    { everyMs: 20, withinMs, ...(signal ? { signal } : {}) },
  );
  if (!found) throw lost();
  if (slotCount(found.exact) !== goal || (goal > 0 && found.exactMs !== Math.round(marginMs)))
    throw new RolloutError(
      'NotCaughtUp',
      `the follower of ${standby.address} has set the expiries of ${slotCount(found.exact)} slots to a margin of ${found.exactMs} ms within ${withinMs} ms, not of ${goal}: look whether it runs`,
    );
}
