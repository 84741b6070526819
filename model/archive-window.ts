import { runAfter, slotsKey, stretchesOf, type Segment, type Stretch } from './archive.js';
import type { BackupManifest } from './backup-manifest.js';
import type { Window } from './recovery.js';

/**
 * Which backups begin what is kept of the archive: with these alone every moment from then on can be had that could be had
 * with all of them. That is the newest from before, and where the archive has gaps one behind each.
 *
 * @param windows of good backups
 * @param from Unix ms
 */
export function windowBeginnings(windows: readonly Window[], from: number): ReadonlySet<string> {
  const found = new Set<string>();
  let reached = from;
  const keep = (window: Window | undefined): void => {
    if (!window || window.to <= reached) return;
    found.add(window.backup);
    reached = window.to;
  };
  const before = windows.filter((it) => it.from <= from).sort((a, b) => b.to - a.to || b.from - a.from);
  keep(before[0]);
  for (const window of windows.filter((it) => it.from > from).sort((a, b) => a.from - b.from || b.to - a.to))
    keep(window);
  return found;
}

/**
 * Segments that lead nowhere any more, the oldest first: they ended before `until`, and are behind none of these backups.
 *
 * @param backups from which moments are still to be had
 * @param until Unix ms
 */
export function unneededSegments<Known extends Segment>(
  segments: readonly Known[],
  backups: readonly Pick<BackupManifest, 'shards'>[],
  until: number,
): Known[] {
  const stretches = stretchesOf(segments);
  const neededFrom = new Map<string, number>();
  for (const shard of backups.flatMap(({ shards }) => shards)) {
    const run = runAfter(stretches, shard, slotsKey(shard.slots));
    const first = run?.segments[0]?.first;
    if (!run || first === undefined) continue;
    const line = lineOf(run);
    neededFrom.set(line, Math.min(first, neededFrom.get(line) ?? Infinity));
  }
  return segments
    .filter((it) => it.to < until && it.end < (neededFrom.get(lineOf(it)) ?? Infinity))
    .sort((a, b) => a.to - b.to || a.first - b.first);
}

/** Of a line with a hole, what is behind the hole is needed too where what is before it is. */
const lineOf = ({ slots, line }: Pick<Stretch, 'slots' | 'line'>): string => `${slots}/${line}`;
