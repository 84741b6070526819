import { unneededSegments, windowBeginnings } from '../model/archive-window.js';
import type { Deployment } from '../model/deployment.js';
import { LEFT_MS } from '../model/leftovers.js';
import type { PrunePlan, SegmentsSummary } from '../model/pruning.js';
import { windowsOf } from '../model/recovery.js';
import { retention, type Retained } from '../model/retention.js';
import { ArchiveStore, type StoredSegment } from './archive-store.js';
import { BackupStore, knownBackup, manifestsOf } from './backup-store.js';
import { BackupUses } from './backup-uses.js';

export interface PruneStores {
  backups: BackupStore;
  archive: ArchiveStore;
  uses: BackupUses;
}

/** @throws RolloutError Unauthorized, naming a reference of the deployment file */
export const openPruneStores = async (deployment: Deployment): Promise<PruneStores> => ({
  backups: await BackupStore.open(deployment),
  archive: await ArchiveStore.open(deployment),
  uses: await BackupUses.open(deployment),
});

/** What pruning would do. Changes nothing. @param now Unix ms */
export async function planPrune(
  deployment: Deployment,
  { uses, ...stores }: PruneStores,
  now: number,
): Promise<PrunePlan> {
  const leftovers = await stores.backups.leftovers(now);
  const { backups, kept, goes, stays } = await decidePrune(deployment, stores, { now });
  const readers = new Map((await uses.all()).map(({ backup, workflowId }) => [backup, workflowId]));
  return {
    target: stores.backups.name,
    backups: backups.map((it) => {
      const reader = it.stays ? undefined : readers.get(it.backup);
      return reader === undefined ? it : { ...it, reason: `${it.reason}; not while ${reader} reads it` };
    }),
    leftovers: leftovers.map(({ backup, objects, unfinished, bytes }) => ({
      ...{ backup, objects: objects.length, unfinished: unfinished.length, bytes },
    })),
    ...(goes.length + stays === 0 ? {} : { archive: { keptFrom: new Date(kept).toISOString(), stays, goes: summaryOf(goes) } }), // prettier-ignore
  };
}

/** What is decided now of every backup that has a manifest, the newest first, and of the archive. */
export interface PruneDecision {
  backups: Retained[];
  /** From when on every moment stays that can be had, Unix ms. */
  kept: number;
  /** Segments that nobody needs any more, the oldest first; and how many are needed. */
  goes: StoredSegment[];
  stays: number;
}

/** @param used ids of backups that somebody reads */
export async function decidePrune(
  { backup: { archive: policy, retention: kept, keep: ofUpgrades } }: Deployment,
  { backups: store, archive }: Pick<PruneStores, 'backups' | 'archive'>,
  { now, used = new Map() }: { now: number; used?: ReadonlyMap<string, string> },
): Promise<PruneDecision> {
  const entries = await store.all();
  const known = entries.map(knownBackup);
  const segments = await archive.stored();
  const damaged = new Set(known.filter(({ state }) => state === 'damaged').map(({ backup }) => backup));
  const manifests = manifestsOf(entries).filter(({ backup }) => !damaged.has(backup));
  const from = now - policy.keep;
  const begins = windowBeginnings(windowsOf(manifests, segments), from);
  const retained = retention(known, kept, { now, begins, ofUpgrades }).map((it) => {
    const reader = used.get(it.backup);
    return it.stays || reader === undefined ? it : { ...it, stays: true, reason: reader };
  });
  const stay = new Set(retained.filter(({ stays }) => stays).map(({ backup }) => backup));
  const beginning = (backup: string, startedAt: string): boolean =>
    begins.has(backup) || used.has(backup) || Date.parse(startedAt) >= from;
  const needing = manifests.filter(({ backup, startedAt }) => stay.has(backup) && beginning(backup, startedAt));
  // A backup may be on its way into a line that none lies in yet.
  const goes = unneededSegments(segments, needing, Math.min(from, now - LEFT_MS));
  return { backups: retained, kept: from, goes, stays: segments.length - goes.length };
}

export function summaryOf(segments: readonly StoredSegment[]): SegmentsSummary {
  const [first] = segments;
  const bytes = segments.reduce((sum, it) => sum + it.bytes, 0);
  if (!first) return { segments: 0, bytes };
  const [from, to] = segments.reduce(
    ([begin, end], it) => [Math.min(begin, it.from), Math.max(end, it.to)],
    [first.from, first.to],
  );
  return { segments: segments.length, bytes, from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}
