import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import { formatSlots } from '../../model/topology.js';
import type { NodeAccount } from '../account.js';
import { parseClusterNodes } from '../cluster-nodes.js';
import { at, connect, isSilent, type NodeConnection } from '../connection.js';
import { poll, roleOf } from '../roles.js';
import { PAUSE_MS } from './hold-writes.js';
import type { CutOverPair } from './may-cut-over.js';
import { voidClaim } from './void-claim.js';

export interface Claim extends CutOverPair {
  /** As it was before it was told to take the slots. */
  standbyBefore: NodeAccount;
  /** To the primary, which holds writes. */
  connection: NodeConnection;
  openToAct: (address: string) => Promise<NodeConnection>;
}

/** How long a standby that was told to take them may be silent before its claim is made void, ms. */
const ANSWERS_WITHIN_MS = 3000;
/** How long the primary may take to hear of it, ms. */
const HEARS_WITHIN_MS = 10_000;

/**
 * Has the standby taken the slots? Asked where its script did not say so.
 *
 * @param deadline by the standby's clock, ms: later its script changes nothing any more
 * @throws RolloutError HandoverFailed when its claim, if it has made one, is void; RolesUnsettled when that can't be done
 */
export async function hasTaken(claim: Claim, deadline: number): Promise<boolean> {
  const known = await poll(
    async () => {
      if ((await roleOf(claim.connection).catch(() => undefined)) === 'replica') return 'taken';
      return takenByOwnAccount(claim, deadline);
    },
    (it) => it !== undefined,
    { everyMs: 20, withinMs: ANSWERS_WITHIN_MS },
  );
  if (known === undefined) throw await takenBack(claim);
  return known === 'taken';
}

/** What the standby says itself; undefined while it says nothing, or while its script may still come. */
async function takenByOwnAccount(
  { endpoint, standby: address, ranges }: CutOverPair,
  deadline: number,
): Promise<'taken' | 'not' | undefined> {
  try {
    await using standby = await connect(at(endpoint, address), { timeoutMs: 500 });
    const [nodes, time] = await standby.pipeline([['CLUSTER', 'NODES'], ['TIME']]);
    const own = parseClusterNodes(String(nodes), '').find((line) => line.myself);
    if (own && formatSlots(own.slots) === formatSlots(ranges)) return 'taken';
    const [seconds] = time as [string, string];
    return own && Number(seconds) * 1000 > deadline ? 'not' : undefined;
  } catch (error) {
    if (isSilent(error)) return undefined;
    throw error;
  }
}

/**
 * Waits until the primary has heard that the standby has the slots. Writes are held until then: what it accepted would be
 * lost.
 *
 * @throws RolloutError RolesUnsettled when it can't hear of it: it serves no slot then; else as `hasTaken`
 */
export async function steppedDown(claim: Claim): Promise<void> {
  const { connection, primary, standby, ranges } = claim;
  const role = await poll(
    () => Promise.race([roleOf(connection).catch(whenGone), sleep(PAUSE_MS / 2, 'unknown', { ref: false })]),
    (it) => it === 'replica' || it === 'gone',
    { everyMs: 1, withinMs: HEARS_WITHIN_MS },
  );
  if (role === 'replica' || role === 'gone') return;
  if ((await takenByOwnAccount(claim, Infinity)) !== 'taken') throw await takenBack(claim);
  const slots = ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
  await connection.call('CLUSTER', 'DELSLOTS', ...slots);
  throw new RolloutError(
    'RolesUnsettled',
    `${standby} has the slots, and ${primary} has not heard of it within ${HEARS_WITHIN_MS / 1000} s: its slots were taken from it, so that it accepts nothing that would be lost. Look at the cluster bus between the two`,
  );
}

/** One whose connection has ended accepts nothing over it, and whoever it is that serves is asked of the others. */
function whenGone(error: unknown): 'gone' | 'unknown' {
  return error instanceof RolloutError && error.type === 'Unreachable' ? 'gone' : 'unknown';
}

/** The failure that says what became of a claim that nobody has seen: void, or nobody knows. */
async function takenBack(claim: Claim): Promise<RolloutError> {
  const { primary, standby } = claim;
  const why = await voidClaim(claim);
  return why === undefined
    ? new RolloutError(
        'HandoverFailed',
        `${standby} was told to take the slots and has fallen silent; no node has seen it as their owner, and the epoch of ${primary} was raised above what it may have taken: ${primary} serves on. Look at ${standby}: where it comes back as a replica of ${primary}, it has lost its data, and the standby must be made anew`,
      )
    : new RolloutError(
        'RolesUnsettled',
        `${standby} was told to take the slots and has fallen silent, and what it may have taken can't be made void: ${why}; writes go on at ${primary} within ${PAUSE_MS / 1000} s, and are lost if ${standby} comes back as the owner. Find out what became of it first`,
      );
}
