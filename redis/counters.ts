import { eachNode } from '../model/in-parallel.js';
import { countersOf, type Counters } from '../model/validation/measurement.js';
import { at, connect, type Endpoint } from './connection.js';
import { readInfo } from './node.js';

/** What each of these nodes has counted so far. @throws RolloutError Unreachable, NodeHung */
export const readCounters = (endpoint: Endpoint, nodes: readonly string[]): Promise<Counters[]> =>
  eachNode(nodes, async (node) => {
    await using connection = await connect(at(endpoint, node));
    return countersOf(node, await readInfo(connection, 'all'));
  });
