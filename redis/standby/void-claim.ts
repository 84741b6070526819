import { isSilent } from '../connection.js';
import { parseInfo } from '../info.js';
import { poll } from '../roles.js';
import type { Claim } from './claim.js';
import { readPair, slotsSeenAt } from './may-cut-over.js';

/** How long gossip may take to the primary, ms. */
const HEARD_WITHIN_MS = 5000;

/**
 * Makes a claim of the standby's void that may or may not be there: the primary's epoch is raised above the one that the
 * standby can have given itself. Should it come back with the slots, it loses them again; nobody has written to it, since
 * no node has ever named it as their owner.
 *
 * @returns why that can't be done, or undefined when it was
 */
export async function voidClaim(claim: Claim): Promise<string | undefined> {
  const { connection, standby, primary, nodes } = claim;
  const { id } = claim.standbyBefore.node;
  const others = nodes.filter((address) => address !== standby && address !== primary);
  const { accounts } = await readPair({ ...claim, nodes: others });
  const seeing = accounts.find((account) => account.node.id !== id && slotsSeenAt(id, account) !== '');
  if (seeing) return `${seeing.node.address} sees slots ${slotsSeenAt(id, seeing)} at ${standby}`;
  // It gave itself the one after the last that it knew, and it knew none that nobody else did.
  const claimed = Math.max(claim.standbyBefore.currentEpoch, ...accounts.map((it) => it.currentEpoch)) + 1;
  const epochs = async (): Promise<{ current: number; own: number }> => {
    const info = parseInfo(String(await connection.call('CLUSTER', 'INFO')));
    return { current: Number(info['cluster_current_epoch']), own: Number(info['cluster_my_epoch']) };
  };
  // BUMPEPOCH gives a node the epoch after the one that it knows of, once: another node has to go ahead.
  const ahead = accounts
    .filter(({ node }) => others.includes(node.address))
    .sort((a, b) => a.node.role.localeCompare(b.node.role));
  for (const { node } of ahead) {
    if ((await epochs()).current >= claimed) break;
    if (await goAhead(claim, node.address))
      await poll(epochs, ({ current }) => current >= claimed, { everyMs: 20, withinMs: HEARD_WITHIN_MS });
  }
  await connection.call('CLUSTER', 'BUMPEPOCH');
  const { own } = await epochs();
  return own > claimed ? undefined : `the epoch of ${primary} is ${own}, and ${standby} may have ${claimed}`;
}

async function goAhead({ openToAct }: Claim, address: string): Promise<boolean> {
  try {
    await using other = await openToAct(address);
    await other.call('CLUSTER', 'BUMPEPOCH');
    return true;
  } catch (error) {
    if (isSilent(error)) return false;
    throw error;
  }
}
