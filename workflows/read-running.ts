import type { Running } from '../model/standing.js';
import { allNodes } from '../model/topology.js';
import { messageOf } from './failure.js';
import type { Operation } from './operation.js';
import { readNow } from './proxies.js';

/**
 * What the operation's nodes run now, for its statement at the end: what was told on the way may be over, and a node that
 * failed may run either release, or none. Undefined where it can't be read: then what was told has to do.
 */
export async function readRunning(operation: Operation): Promise<Running | undefined> {
  try {
    const { topology, away = [] } = await readNow('every node as it stands', operation.order);
    const own = allNodes(topology).filter(({ address }) => operation.node(address) !== undefined);
    return { releases: new Map(own.map(({ address, release }) => [address, release])), away };
  } catch (error) {
    operation.note('failure', `the nodes could not be read at the end: ${messageOf(error)}`);
    return undefined;
  }
}
