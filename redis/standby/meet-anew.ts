import { knownLine } from '../../model/compatibility/release-lines.js';
import { eachNode } from '../../model/in-parallel.js';
import type { NodeAccount } from '../account.js';
import { forgetAt, sendsExtensions } from '../known-as-newer.js';
import { introduce, type Membership } from './membership.js';

/**
 * Makes a primary that went back to a release before 7.0 heard by those of newer ones again: as forgetAsNewer, and met anew
 * under the same id at once, since it has slots that nobody else serves for as long as they don't know it. They are its own
 * again with its next ping.
 *
 * @param accounts of the cluster as it is; who is the node's own replica can't forget it, and has to go back itself
 * @throws RolloutError NotCaughtUp naming who does not see it; Unreachable where a member can't be asked
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
  // An earlier attempt may have had it forgotten already.
  await eachNode(addresses, (member) => forgetAt(endpoint, member, node));
  await introduce({ endpoint, node, members: addresses, ...(signal ? { signal } : {}) });
}
