import { knownLine } from '../../model/compatibility/release-lines.js';
import { RolloutError } from '../../model/failures.js';
import { eachNode } from '../../model/in-parallel.js';
import type { NodeAccount } from '../account.js';
import { at, connect, type Endpoint } from '../connection.js';
import { introduce, type Membership } from './membership.js';

/** FORGET is refused for who is unknown, and for one's own primary, of which nothing can be forgotten. */
const NOTHING_TO_FORGET = /^ERR (Unknown node|Can't forget my master)/i;

/**
 * Makes a node that went back to a release before 7.0 heard by members of newer ones again. They note of each node that it
 * understands extension data, and never take that back (`CLUSTER_NODE_EXTENSIONS_SUPPORTED` in cluster_legacy.c): what they
 * went on sending it would be dropped, and each would take the other for dead after the node timeout. So they forget it,
 * and meet it anew under the same id at once: gossip alone would tell them of it once their ban of a minute is over. What it
 * serves or follows they know with its next ping.
 *
 * @param accounts of the cluster as it is; who is the node's own replica can't forget it, and has to go back itself
 * @throws RolloutError MissingPermission; NotCaughtUp naming who does not see it; Unreachable where a member can't be asked
 */
export async function meetAnew(
  { endpoint, node, signal }: Omit<Membership, 'members'>,
  { release, accounts }: { release: string; accounts: readonly NodeAccount[] },
): Promise<void> {
  if (knownLine(release)?.bus !== 'plain') return;
  const members = accounts.filter(
    (it) =>
      it.node.id !== node.id && sendsExtensions(it) && it.peers.find(({ myself }) => myself)?.primaryId !== node.id,
  );
  const addresses = members.map(({ node: its }) => its.address);
  await eachNode(addresses, (member) => forgetAt(endpoint, member, node));
  await introduce({ endpoint, node, members: addresses, ...(signal ? { signal } : {}) });
}

/** Does it send them to whom it believes to understand them? */
const sendsExtensions = ({ node }: NodeAccount): boolean => knownLine(node.release)?.bus === 'ifUnderstood';

/** An earlier attempt may have had it forgotten already. */
async function forgetAt(
  endpoint: Endpoint,
  member: string,
  { id, address }: { id: string; address: string },
): Promise<void> {
  await using connection = await connect(at(endpoint, member));
  try {
    await connection.call('CLUSTER', 'FORGET', id);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof RolloutError) throw error;
    if (NOTHING_TO_FORGET.test(error.message)) return;
    throw new RolloutError(
      /^NOPERM/.test(error.message) ? 'MissingPermission' : 'Stopped',
      `${member} can't forget that ${address} ran a newer release: ${error.message}`,
      { cause: error },
    );
  }
}
