import type { ComparedShard } from '../../model/backup-restore.js';
import { RolloutError } from '../../model/failures.js';
import { SLOTS } from '../../model/topology.js';
import { at, type Endpoint } from '../connection.js';
import { slotOf } from '../probe/slot.js';
import { readTopology } from '../topology.js';
import { compareSnapshot, type SnapshotInput } from '../verify/against-snapshot.js';
import { ComparedNode } from '../verify/compared-node.js';

export interface CompareInput extends Pick<SnapshotInput, 'snapshot' | 'selects' | 'mask' | 'onProgress' | 'signal'> {
  endpoint: Endpoint;
  seeds: readonly string[];
  /** By how much an expiry may be off, ms (default 0). */
  expiryToleranceMs?: number;
}

/**
 * Compares what a cluster has with a shard's snapshot, each key where its slot is served.
 *
 * @throws RolloutError as `compareSnapshot`
 */
export async function compareWithTarget({
  endpoint,
  seeds,
  expiryToleranceMs = 0,
  ...input
}: CompareInput): Promise<Omit<ComparedShard, 'shard'>> {
  const { shards } = await readTopology(endpoint, seeds);
  const bySlot = new Array<ComparedNode | undefined>(SLOTS).fill(undefined);
  const nodes: ComparedNode[] = [];
  try {
    for (const { primary, slots } of shards) {
      const node = await ComparedNode.open(at(endpoint, primary.address), { expiryToleranceMs, signal: input.signal });
      nodes.push(node);
      for (const [from, to] of slots) bySlot.fill(node, from, to + 1);
    }
    const nodeOf = (key: Buffer): ComparedNode => {
      const node = bySlot[slotOf(key)];
      if (!node) throw new RolloutError('RolesUnsettled', `nobody serves slot ${slotOf(key)}`);
      return node;
    };
    return await compareSnapshot({ ...input, nodes, nodeOf });
  } finally {
    for (const node of nodes) node[Symbol.dispose]();
  }
}
