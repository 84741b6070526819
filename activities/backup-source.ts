import { chooseBackupSource } from '../model/backup-source.js';
import { RolloutError } from '../model/failures.js';
import type { NodeView } from '../model/topology.js';
import { nodeView } from '../redis/account.js';
import type { NodeConnection } from '../redis/connection.js';
import { readInfo } from '../redis/node.js';

/**
 * Where to take the shard's snapshot from, by what its nodes say now.
 *
 * @returns its `host:port`
 * @throws RolloutError Unreachable when the shard's primary can't be read: whether a replica has everything isn't known
 */
export async function backupSource(
  connect: (address: string) => Promise<NodeConnection>,
  nodes: readonly string[],
): Promise<string> {
  const refusals: string[] = [];
  const found = await Promise.all(
    nodes.map(async (address): Promise<NodeView | undefined> => {
      try {
        await using connection = await connect(address);
        return nodeView(address, '', await readInfo(connection));
      } catch (error) {
        refusals.push(error instanceof Error ? error.message : String(error));
        return undefined;
      }
    }),
  );
  const known = found.filter((node) => node !== undefined);
  const [primary, ...more] = known.filter((node) => node.role === 'primary');
  if (!primary || more.length > 0)
    throw new RolloutError(
      'Unreachable',
      `expected one primary among ${nodes.join(', ')}, found ${primary ? [primary, ...more].map((it) => it.address).join(', ') : 'none'}${refusals.length > 0 ? `: ${refusals.join('; ')}` : ''}`,
    );
  return chooseBackupSource(
    primary,
    known.filter((node) => node.role === 'replica'),
  ).address;
}
