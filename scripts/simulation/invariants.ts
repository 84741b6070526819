import { olderLine } from '../../model/compatibility/release-lines.js';
import type { SimulatedNode, SimulatedShard } from './cluster.js';

/** What must never be, found to be: with all that reproduces it. */
export interface Violation {
  seed: number;
  deployment: string;
  /** The act after which it was found, with its number: `412 swapVersion 10.0.1.1:6379`. */
  step: string;
  /** Which of DESIGN's invariants, in words. */
  invariant: string;
  found: string;
}

export const invariants = {
  stopPrimary: 'a node that owns slots is never stopped; it is handed over first',
  promoteUnready: 'a node that lags, loads or was upgraded but not verified is never promoted',
  oldFollower: 'a node of the older version that follows a newer primary is never promotable, its dataset never reused',
  oldFullSync: 'an old node is never told to replicate from a newer primary by full sync',
  backupFirst: 'nothing destructive happens before a verified backup exists',
  oneAway: 'no second node of a shard is taken out while one is away',
  lost: 'no acknowledged write is lost by a handover',
  statement: 'a change that fails leaves the shard as it was or better, or stops and says exactly where',
  completed: 'what is said to be completed runs the target everywhere, in replication and promotable',
} as const;

/** Of one shard as it stands between two acts. */
export function standingViolations({ nodes }: SimulatedShard): { invariant: string; found: string }[] {
  const found: { invariant: string; found: string }[] = [];
  for (const node of nodes) {
    if (!node.up || node.role === 'primary' || node.noFailover) continue;
    const primary = nodes.find(({ address }) => address === node.follows);
    if (primary && olderLine(node.release, primary.release))
      found.push({
        invariant: invariants.oldFollower,
        found: `${node.address} (${node.release}) follows ${primary.address} (${primary.release}) and is promotable`,
      });
    if (isUnverified(node))
      found.push({
        invariant: invariants.promoteUnready,
        found: `${node.address} was started on ${node.release}, was not compared, and is promotable`,
      });
  }
  return found;
}

/** Started on another release than the deployment's, and not compared with its primary since. */
export const isUnverified = ({ swapped, verified }: SimulatedNode): boolean => swapped && !verified;
