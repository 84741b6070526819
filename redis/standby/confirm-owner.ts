import { RolloutError } from '../../model/failures.js';
import { formatSlots } from '../../model/topology.js';
import { poll } from '../roles.js';
import { ownSlots, readPair, slotsSeenAt, type CutOverPair } from './may-cut-over.js';

export interface ConfirmInput extends CutOverPair {
  confirmWithinMs: number;
  hasEnded?: () => Promise<boolean>;
  signal?: AbortSignal;
}

/**
 * Believes that the standby has the slots when every node shows it.
 *
 * @throws RolloutError RolesUnsettled
 */
export async function confirmOwner(input: ConfirmInput): Promise<void> {
  const { standby, confirmWithinMs, signal } = input;
  const doubts = await poll(
    () => doubtsAbout(input),
    (left) => left.length === 0,
    { everyMs: 50, withinMs: confirmWithinMs, ...(signal ? { signal } : {}) },
  );
  if (doubts.length > 0)
    throw new RolloutError(
      'RolesUnsettled',
      `${standby} has taken the slots, but after ${confirmWithinMs} ms not everyone shows it: ${doubts.slice(0, 5).join('; ')}`,
    );
}

async function doubtsAbout(input: ConfirmInput): Promise<string[]> {
  const slots = formatSlots(input.ranges);
  const seen = await readPair(input);
  const owner = seen.standby;
  if (!owner) return [`${input.standby} can't be read`];
  const doubts: string[] = [];
  if (owner.node.role !== 'primary' || ownSlots(owner) !== slots)
    doubts.push(`${input.standby} calls itself ${owner.node.role} of slots ${ownSlots(owner) || 'none'}`);
  // A process that has ended serves nobody, and hears of the new owner before it accepts anything when it is started.
  const ended =
    seen.primary === undefined &&
    (input.excused?.includes(input.primary) === true || (await input.hasEnded?.()) === true);
  doubts.push(...seen.unread.filter((why) => !(ended && why.includes(input.primary))));
  for (const account of seen.accounts) {
    const who = account.node.address;
    if (account.clusterState !== 'ok') doubts.push(`${who} sees cluster_state:${account.clusterState}`);
    if (account !== owner && slotsSeenAt(owner.node.id, account) !== slots)
      doubts.push(`${who} sees slots ${slotsSeenAt(owner.node.id, account) || 'none'} at ${input.standby}`);
  }
  const { primary } = seen;
  const follows = primary?.peers.find((peer) => peer.myself)?.primaryId === owner.node.id;
  // One that was made to serve no slot, since it could not hear of the new owner, stays a primary of none.
  if (primary && !follows && (primary.node.role !== 'primary' || ownSlots(primary) !== ''))
    doubts.push(`${input.primary} calls itself ${primary.node.role} of slots ${ownSlots(primary) || 'none'}`);
  return doubts;
}
