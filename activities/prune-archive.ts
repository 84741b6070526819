import type { StoredSegment } from '../integrations/archive-store.js';
import { decidePrune, summaryOf, type PruneStores } from '../integrations/plan-prune.js';
import type { Deployment } from '../model/deployment.js';
import type { PrunedSegments } from '../model/pruning.js';
import { usedBackups, whileRemoving } from './backup-users.js';
import type { Dependencies } from './dependencies.js';

/** After each it is looked again who reads. */
const PORTION = 256;

/**
 * Removes the segments that no backup needs which is kept, or read just now. Whoever begins to read one meanwhile is seen
 * before the next portion goes, and then all is decided anew.
 */
export async function pruneArchive(
  deployment: Deployment,
  { uses, ...stores }: PruneStores,
  {
    now,
    fateOf,
    onRemoved,
    signal,
  }: Pick<Dependencies, 'fateOf'> & { now: number; onRemoved: (gone: PrunedSegments) => void; signal: AbortSignal },
): Promise<PrunedSegments> {
  const gone: StoredSegment[] = [];
  for (;;) {
    const used = await usedBackups(uses, { fateOf }, now);
    const { goes } = await decidePrune(deployment, stores, { now, used });
    if (goes.length === 0) return summaryOf(gone);
    for (let at = 0; at < goes.length; at += PORTION) {
      signal.throwIfAborted();
      const portion = goes.slice(at, at + PORTION);
      const outcome = await whileRemoving(uses, async (inTime) => {
        const readers = await usedBackups(uses, { fateOf }, now);
        if ([...readers.keys()].some((it) => !used.has(it))) return undefined;
        return stores.archive.remove(portion, inTime);
      });
      if (!outcome) break;
      gone.push(...portion.slice(0, outcome.removed));
      onRemoved(summaryOf(gone));
      if (outcome.locked !== undefined) return { ...summaryOf(gone), locked: outcome.locked };
    }
  }
}
