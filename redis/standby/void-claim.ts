import { isSilent, type NodeConnection } from '../connection.js';
import { parseInfo } from '../info.js';
import { poll } from '../roles.js';
import { readPair, slotsSeenAt, type CutOverPair } from './may-cut-over.js';

/** How long gossip may take to the primary, ms. */
const HEARD_WITHIN_MS = 5000;

/**
 * Makes a claim of the standby's void that may or may not be there: the primary's epoch is raised above the one that the
 * standby can have given itself. Should it come back with the slots, it loses them again; nobody has written to it, since
 * no node has ever named it as their owner.
 *
 * @param known the epoch that all agreed on before
 * @returns why that can't be done, or undefined when it was
 */
export async function voidClaim(
  pair: CutOverPair,
  {
    id,
    known,
    primary,
    openToAct,
  }: { id: string; known: number; primary: NodeConnection; openToAct: (address: string) => Promise<NodeConnection> },
): Promise<string | undefined> {
  const others = pair.nodes.filter((address) => address !== pair.standby && address !== pair.primary);
  const { accounts } = await readPair({ ...pair, nodes: others });
  const seeing = accounts.find((account) => account.node.id !== id && slotsSeenAt(id, account) !== '');
  if (seeing) return `${seeing.node.address} sees slots ${slotsSeenAt(id, seeing)} at ${pair.standby}`;
  const claimed = known + 1;
  const epochs = async (): Promise<{ current: number; own: number }> => {
    const info = parseInfo(String(await primary.call('CLUSTER', 'INFO')));
    return { current: Number(info['cluster_current_epoch']), own: Number(info['cluster_my_epoch']) };
  };
  // BUMPEPOCH gives a node the epoch after the one that it knows of, once: another node has to go ahead.
  const ahead = accounts
    .filter(({ node }) => others.includes(node.address))
    .sort((a, b) => a.node.role.localeCompare(b.node.role));
  for (const { node } of ahead) {
    if ((await epochs()).current >= claimed) break;
    try {
      await using other = await openToAct(node.address);
      await other.call('CLUSTER', 'BUMPEPOCH');
    } catch (error) {
      if (!isSilent(error)) throw error;
      continue;
    }
    await poll(epochs, ({ current }) => current >= claimed, { everyMs: 20, withinMs: HEARD_WITHIN_MS });
  }
  await primary.call('CLUSTER', 'BUMPEPOCH');
  const { own } = await epochs();
  return own > claimed ? undefined : `the epoch of ${pair.primary} is ${own}, and ${pair.standby} may have ${claimed}`;
}
