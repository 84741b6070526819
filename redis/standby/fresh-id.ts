import { randomBytes } from 'node:crypto';
import { dropsExtensions, knownLine } from '../../model/compatibility/release-lines.js';
import type { NodeAccount } from '../account.js';
import type { Endpoint } from '../connection.js';
import { forgetEverywhere } from './membership.js';

/**
 * Must a node have another id when it comes back on this release? Beside members of 8.0 and newer it must, where it goes
 * back to one before 7.0. They note of an id that it understands extension data, and never take that back
 * (`CLUSTER_NODE_EXTENSIONS_SUPPORTED` in cluster_legacy.c): what they went on sending it would be dropped, and each would
 * take the other for dead after the node timeout. Forgotten and met anew it is not heard either: for a minute whoever was
 * told to forget an id has the others forget it, too (`CLUSTERMSG_EXT_TYPE_FORGOTTEN_NODE`).
 */
export const needsFreshId = (release: string, others: readonly NodeAccount[]): boolean =>
  dropsExtensions(release) && others.some(({ node }) => knownLine(node.release)?.bus === 'ifUnderstood');

/** A node id as servers make them: 160 random bits. */
export const freshId = (): string => randomBytes(20).toString('hex');

/**
 * Has all forget an id of a node that goes by another now, and whoever else an attempt before has left at its address.
 *
 * @throws RolloutError Stopped when one owns slots; NotCaughtUp naming who knows one still; Unreachable
 */
export async function forgetWhoWasAt(
  endpoint: Endpoint,
  address: string,
  { id, accounts, signal }: { id: string; accounts: readonly NodeAccount[]; signal: AbortSignal },
): Promise<void> {
  const now = accounts.find(({ node }) => node.address === address)?.node.id;
  const others = accounts.filter(({ node }) => node.address !== address);
  const seen = others.flatMap(({ peers }) => peers.filter((peer) => peer.address === address).map((peer) => peer.id));
  for (const it of new Set([id, ...seen])) {
    if (it === now) continue;
    // Its own replica can't, and has to go back itself.
    const members = others.filter(({ peers }) => peers.find(({ myself }) => myself)?.primaryId !== it);
    const addresses = members.map(({ node }) => node.address);
    await forgetEverywhere({ endpoint, node: { id: it, address }, members: addresses, signal });
  }
}
