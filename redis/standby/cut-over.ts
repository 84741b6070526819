import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import { atLeast } from '../../model/release.js';
import { formatSlots, slotCount } from '../../model/topology.js';
import type { NodeAccount } from '../account.js';
import { at, connect, type NodeConnection } from '../connection.js';
import { noFailover, setDirective } from '../node.js';
import { poll } from '../roles.js';
import { hasTaken, steppedDown, type Claim } from './claim.js';
import { confirmOwner } from './confirm-owner.js';
import { drained, rehearseDrain } from './drain.js';
import { exactSlots, ExpiriesLate } from './expiries-late.js';
import { holdWrites } from './hold-writes.js';
import { hindrance, ownSlots, readPair, type CutOverPair, type ShardAccounts } from './may-cut-over.js';
import { PING_ALWAYS_TIMEOUT_MS, watchPings } from './next-ping.js';
import { EXPIRIES_LATE, loadTake } from './take-slots.js';
import { setAsOthers } from './usual-settings.js';

export interface CutOverInput extends CutOverPair {
  /** Opens what the commands that change something go over; an attempt that was overtaken gets none. */
  connectToAct?: (address: string) => Promise<NodeConnection>;
  /** The standby's key in which its follower notes how far it has come. */
  record: string;
  /** By how much later than the primary's its expiries may be, ms: what `setExpiriesRight` was asked for. */
  marginMs: number;
  /** How long every node may take to show the new owner, ms. */
  confirmWithinMs: number;
  /** Waits until no other shard's writes are held: side by side, each would be held for longer. */
  takeTurn?: () => Promise<{ end: () => Promise<void> }>;
  /** Has the process of `primary` ended, as far as the machine that it runs on can tell? */
  hasEnded?: () => Promise<boolean>;
  signal?: AbortSignal;
}

export interface CutOverResult {
  /** When writes were held first, Unix ms; when it was looked at, where an earlier attempt had done it. */
  at: number;
  /** How long they were held, ms. */
  gapMs: number;
  /** How long of it the standby's follower took to the end of the primary's stream, ms. */
  drainedMs: number;
  /** That end. */
  offset: number;
  /** True when an earlier attempt had taken the slots. */
  already: boolean;
}

/** How long what passes may take before a cutover is refused, ms. */
const PASSES_WITHIN_MS = 10_000;
/** How long writes are held at most before the standby takes the slots, ms. */
const TAKEN_WITHIN_MS = 1000;
/** What the standby takes to take a thousand slots, and to write that down, ms; a guess on the safe side. */
const TAKE_MS_PER_1000_SLOTS = 2.5;
const NODE_TIMEOUT = 'cluster-node-timeout';

const openToAct = ({ endpoint, connectToAct }: CutOverInput, address: string): Promise<NodeConnection> =>
  connectToAct ? connectToAct(address) : connect(at(endpoint, address));

/**
 * Gives a shard's slots to its standby without losing an acknowledged write: writes are held at the primary, the follower
 * brings the standby to the end of the primary's stream, the standby takes the slots with a higher epoch, and writes go on
 * when the primary has stepped down for it (it answers them with MOVED then).
 *
 * Safe to run again at any point. Before the standby's script has run nothing has moved, and an attempt that ends leaves
 * nothing but a pause that ends by itself. The script is one step, and the way back ends with it: from there on the
 * standby has the slots and an attempt only waits until all have heard of it. The standby accepts writes from then on, so
 * the primary must not: its pause is renewed until it has stepped down, and where it can't hear of it, the slots are taken
 * from it by hand. Where it can't be learnt whether the script has run, since the standby has fallen silent and no node
 * has seen it as the owner, the primary's epoch is raised above whatever it may have taken.
 *
 * @throws RolloutError HandoverFailed when nothing was done, or all was undone: the primary serves on (ExpiriesLate when it
 *   can be done once they are set right); RolesUnsettled when the standby has the slots and not everyone shows it, or when
 *   it is not known; NodeHung, Unreachable
 */
export async function cutOver(input: CutOverInput): Promise<CutOverResult> {
  const slots = formatSlots(input.ranges);
  const seen = await readPair(input);
  try {
    const taken = seen.standby !== undefined && ownSlots(seen.standby) === slots;
    const result = taken ? await finish(input, seen) : await move(input, await allowed(input));
    await confirmOwner(input);
    await putBack(input, seen, [noFailover, NODE_TIMEOUT]);
    return result;
  } catch (error) {
    // What an earlier attempt has left there, too.
    await putBack(input, seen, [NODE_TIMEOUT]).catch(() => {
      // The attempt's own failure is what is to be told; the next one looks again.
    });
    throw error;
  }
}

/** @throws RolloutError HandoverFailed before anything was done */
async function allowed(input: CutOverInput): Promise<Pair> {
  const { primary, standby, hindered } = await poll(
    async () => {
      const seen = await readPair(input);
      return { ...seen, hindered: hindrance(input, seen) };
    },
    (it) => it.hindered?.passing !== true,
    { everyMs: 200, withinMs: PASSES_WITHIN_MS, ...(input.signal ? { signal: input.signal } : {}) },
  );
  if (hindered || !primary || !standby)
    throw nothingDone(
      input,
      `${hindered?.why ?? ''}. It can be tried again when this is so: ${hindered?.clears ?? ''}`,
    );
  return { primary, standby };
}

interface Pair {
  primary: NodeAccount;
  standby: NodeAccount;
}

const nothingDone = ({ primary, standby }: CutOverInput, why: string): RolloutError =>
  new RolloutError('HandoverFailed', `${primary} → ${standby}: ${why}; nothing was done, and ${primary} serves on`);

async function move(input: CutOverInput, pair: Pair): Promise<CutOverResult> {
  const turn = await input.takeTurn?.();
  try {
    return await moveInTurn(input, pair);
  } finally {
    await turn?.end();
  }
}

async function moveInTurn(input: CutOverInput, pair: Pair): Promise<CutOverResult> {
  const { record, ranges, marginMs, signal } = input;
  await using standby = await openToAct(input, input.standby);
  await using primary = await openToAct(input, input.primary);
  const take = await loadTake(standby);
  const drain = {
    ...{ standby, record, exact: exactSlots(ranges), marginMs },
    refuse: (why: string) => nothingDone(input, why),
    ...(signal ? { signal } : {}),
  };
  const broadcast = atLeast(pair.standby.node.release, 6, 2);
  const untilPing = broadcast ? undefined : await pingAlways(standby);
  const usualMs = await rehearseDrain({ ...drain, primary });
  if (untilPing) {
    // The others hear of it with the next ping: writes are held just so long before that one that all else is done.
    const wait = untilPing() - usualMs - (TAKE_MS_PER_1000_SLOTS * slotCount(ranges)) / 1000 - 10;
    await sleep(wait > 0 ? wait : wait + 100);
  }

  const claim: Claim = {
    ...input,
    ...{ standbyBefore: pair.standby, connection: primary, openToAct: (address) => openToAct(input, address) },
  };
  const held = await holdWrites(primary);
  try {
    const { now } = await drained({ ...drain, offset: held.offset, withinMs: TAKEN_WITHIN_MS / 2 });
    const drainedMs = performance.now() - held.since;
    if (!(await held.sure())) throw nothingDone(input, `${input.primary} does not say that it holds writes`);
    const deadline = now + TAKEN_WITHIN_MS;
    const owner = pair.primary.node.id;
    const answer = await Promise.race([
      take({ record, ranges, marginMs, owner, offset: held.offset, deadline, broadcast }).catch(String),
      sleep(TAKEN_WITHIN_MS, 'no answer', { ref: false }),
    ]);
    if (answer === EXPIRIES_LATE) throw new ExpiriesLate(input.standby);
    if (answer !== 'taken' && !(await hasTaken(claim, deadline)))
      throw nothingDone(input, `${input.standby} did not take the slots (${answer})`);
    await steppedDown(claim);
    return { at: held.at, gapMs: await held.release(), drainedMs, offset: held.offset, already: false };
  } catch (error) {
    await held.release();
    throw error;
  }
}

async function pingAlways(standby: NodeConnection): Promise<(() => number) | undefined> {
  await setDirective(standby, NODE_TIMEOUT, String(PING_ALWAYS_TIMEOUT_MS));
  return watchPings(standby);
}

/** What an earlier attempt began: the standby has the slots, and the primary may not have heard of it. */
async function finish(input: CutOverInput, { primary, standby }: ShardAccounts): Promise<CutOverResult> {
  const done = { at: Date.now(), gapMs: 0, drainedMs: 0, offset: primary?.node.offset ?? 0, already: true };
  // Nobody of before can be named any more: there is nobody to step down.
  if (input.primary === input.standby) return done;
  if (primary?.node.role !== 'primary' || !standby || ownSlots(primary) === '') return done;
  await using connection = await openToAct(input, input.primary);
  const held = await holdWrites(connection);
  try {
    await steppedDown({ ...input, standbyBefore: standby, connection, openToAct: (it) => openToAct(input, it) });
  } finally {
    done.gapMs = await held.release();
  }
  return { ...done, at: held.at, offset: held.offset };
}

async function putBack(input: CutOverInput, { accounts }: ShardAccounts, directives: string[]): Promise<void> {
  await using standby = await openToAct(input, input.standby);
  await setAsOthers(standby, { endpoint: input.endpoint, accounts, directives });
}
