import { knownLine } from '../model/compatibility/release-lines.js';
import { RolloutError } from '../model/failures.js';
import { eachNode } from '../model/in-parallel.js';
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
  const newer = accounts.map(({ node }) => node).filter((node) => knownLine(node.release)?.bus === 'ifUnderstood');
  const forgotten = await eachNode(newer, async (node) => {
    await using connection = await connect(at(endpoint, node.address));
    try {
      await connection.call('CLUSTER', 'FORGET', id);
      return [node.address];
    } catch (error) {
      if (!(error instanceof Error) || error instanceof RolloutError) throw error;
      if (NOTHING_TO_FORGET.test(error.message)) return [];
      throw new RolloutError(
        /^NOPERM/.test(error.message) ? 'MissingPermission' : 'Stopped',
        `${node.address} can't forget that ${address} ran a newer release: ${error.message}`,
        { cause: error },
      );
    }
  });
  return forgotten.flat();
}
