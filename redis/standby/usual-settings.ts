import type { NodeAccount } from '../account.js';
import { at, connect, isSilent, type Endpoint, type NodeConnection } from '../connection.js';
import { getDirective, setDirective } from '../node.js';

/**
 * Gives a node the settings that most of the others have: an attempt that died may have left it with its own, and noted
 * them nowhere.
 *
 * @param accounts of the cluster's nodes
 */
export async function setAsOthers(
  node: NodeConnection,
  { endpoint, accounts, directives }: { endpoint: Endpoint; accounts: NodeAccount[]; directives: readonly string[] },
): Promise<void> {
  const others = accounts.map((it) => it.node.address).filter((address) => address !== node.address);
  for (const directive of directives) {
    const values = await Promise.all(others.map((address) => valueAt(at(endpoint, address), directive)));
    const usual = mostCommon(values.filter((value) => value !== undefined));
    if (usual !== undefined && usual !== (await getDirective(node, directive)))
      await setDirective(node, directive, usual);
  }
}

async function valueAt(endpoint: Endpoint, directive: string): Promise<string | undefined> {
  try {
    await using node = await connect(endpoint);
    return await getDirective(node, directive);
  } catch (error) {
    if (isSilent(error)) return undefined;
    throw error;
  }
}

function mostCommon(values: readonly string[]): string | undefined {
  const count = (value: string): number => values.filter((it) => it === value).length;
  return [...new Set(values)].sort((a, b) => count(b) - count(a))[0];
}
