import { knownLine } from '../../model/compatibility/release-lines.js';
import { eachNode } from '../../model/in-parallel.js';
import type { NodeAccount } from '../account.js';
import { at, connect } from '../connection.js';
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
    ({ node: its, peers }) =>
      its.id !== node.id &&
      knownLine(its.release)?.bus === 'ifUnderstood' &&
      peers.find(({ myself }) => myself)?.primaryId !== node.id,
  );
  const addresses = members.map(({ node: its }) => its.address);
  await eachNode(addresses, async (member) => {
    await using connection = await connect(at(endpoint, member));
    await connection.call('CLUSTER', 'FORGET', node.id).catch((error: unknown) => {
      // An earlier attempt had it forgotten already.
      if (!(error instanceof Error) || !/^ERR Unknown node/i.test(error.message)) throw error;
    });
  });
  await introduce({ endpoint, node, members: addresses, ...(signal ? { signal } : {}) });
}
