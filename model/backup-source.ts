import { olderLine } from './compatibility/release-lines.js';
import { readsSnapshotOf } from './compatibility/rules.js';
import type { NodeView } from './topology.js';

/**
 * The node that a shard's backup is taken from: the least lagged replica that has all of its primary's data, so that the
 * fork and the reading cost the primary nothing; else the primary. A replica of an older line than its primary drops
 * what it can't parse while its link stays up (docs/decisions/0002): it looks healthy, and its snapshot would lack data.
 * What a newer replica saves, the release that serves may not be able to load: a backup is for going back to that.
 *
 * @param replicas as they are now; those that can't be read are left out by the caller
 */
export function chooseBackupSource(primary: NodeView, replicas: readonly NodeView[]): NodeView {
  const [best] = replicas
    .filter((node) => hasEverything(node, primary))
    .sort((a, b) => b.offset - a.offset || a.address.localeCompare(b.address));
  return best ?? primary;
}

function hasEverything({ replication, replid, release }: NodeView, primary: NodeView): boolean {
  return (
    replication !== undefined &&
    replication.link === 'up' &&
    !replication.loading &&
    !replication.syncing &&
    // One history: by address, a name and an IP of the same primary would look like two.
    replid === primary.replid &&
    !olderLine(release, primary.release) &&
    (release === primary.release || readsSnapshotOf(primary.release, release).state === 'pass')
  );
}
