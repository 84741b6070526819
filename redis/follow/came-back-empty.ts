import { keysIn } from '../../model/keyspace.js';
import type { NodeConnection } from '../connection.js';
import { readInfo } from '../node.js';

/**
 * Has a primary come back without its data, while its standby has some? It is of another history then than the one that was
 * followed; one of that history has been emptied by its clients, and its standby will be next.
 *
 * @param replid that the standby's record names
 * @returns how many keys the standby holds, its record among them; undefined where it is not so
 */
export async function cameBackEmpty(
  primary: NodeConnection,
  standby: NodeConnection,
  replid: string,
): Promise<number | undefined> {
  const { master_replid: now, master_replid2: before } = await readInfo(primary, 'replication');
  if ([now, before].includes(replid)) return undefined;
  const [here, there] = [keysIn(await readInfo(primary, 'keyspace')), keysIn(await readInfo(standby, 'keyspace'))];
  return here === 0 && there > 1 ? there : undefined;
}
