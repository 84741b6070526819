import { knownLine } from '../model/compatibility/release-lines.js';
import { RolloutError } from '../model/failures.js';
import { eachNode } from '../model/in-parallel.js';
import type { NodeAccount } from './account.js';
import { at, connect, type Endpoint } from './connection.js';
import { readAccounts } from './topology.js';

export interface KnownAsNewer {
  endpoint: Endpoint;
  seeds: readonly string[];
  /** Came back on an older release. */
  address: string;
  release: string;
}

/** FORGET is refused for who is unknown, and for one's own primary, of which nothing can be forgotten. */
const NOTHING_TO_FORGET = /^ERR (Unknown node|Can't forget my master)/i;

/**
 * Has members of newer releases forget a node that came back on one before 7.0. They note of each node that it understands
 * extension data, and never take that back (`CLUSTER_NODE_EXTENSIONS_SUPPORTED` in cluster_legacy.c): what they went on
 * sending it would be dropped, and each would take the other for dead after the node timeout. A minute later, when their
 * ban is over, they hear of it from the others, and know it as it is. Until then it hears them all the same: to whom they
 * don't know they answer plainly.
 *
 * @returns who had to forget it
 * @throws RolloutError MissingPermission, Unreachable
 */
export async function forgetAsNewer({ endpoint, seeds, address, release }: KnownAsNewer): Promise<string[]> {
  if (knownLine(release)?.bus !== 'plain') return [];
  const { accounts } = await readAccounts(endpoint, seeds);
  const id = accounts.flatMap(({ peers }) => peers).find((it) => it.address === address)?.id;
  if (id === undefined) return [];
  const newer = accounts.filter(sendsExtensions).map(({ node }) => node.address);
  const forgotten = await eachNode(newer, async (member) =>
    (await forgetAt(endpoint, member, { id, address })) ? [member] : [],
  );
  return forgotten.flat();
}

/** Does it send them to whom it believes to understand them? */
export const sendsExtensions = ({ node }: NodeAccount): boolean => knownLine(node.release)?.bus === 'ifUnderstood';

/**
 * Has one member forget a node.
 *
 * @returns false where it knows nothing of it that it could forget
 */
export async function forgetAt(
  endpoint: Endpoint,
  member: string,
  { id, address }: { id: string; address: string },
): Promise<boolean> {
  await using connection = await connect(at(endpoint, member));
  try {
    await connection.call('CLUSTER', 'FORGET', id);
    return true;
  } catch (error) {
    if (!(error instanceof Error) || error instanceof RolloutError) throw error;
    if (NOTHING_TO_FORGET.test(error.message)) return false;
    throw new RolloutError(
      /^NOPERM/.test(error.message) ? 'MissingPermission' : 'Stopped',
      `${member} can't forget that ${address} ran a newer release: ${error.message}`,
      { cause: error },
    );
  }
}
