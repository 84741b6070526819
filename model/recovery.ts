import { lastOf, runAfter, slotsKey, stretchesOf, type Segment } from './archive.js';
import { awayIn, joined } from './archive-coverage.js';
import type { BackupManifest, SealedShard } from './backup-manifest.js';

/** Where one shard is to be brought back to. */
export type Target =
  /** What had arrived by then, Unix ms. */
  | { kind: 'instant'; ms: number }
  /** Up to and with this offset. `object`: the segment that it lies in, where another line has such an offset, too. */
  | { kind: 'offset'; offset: number; object?: string };

/** A backup, and what of the archive brings each shard of it to its target. */
export interface Recovery {
  backup: BackupManifest;
  shards: { shard: SealedShard; target: Target; segments: readonly Segment[] }[];
}

/** Since when until when every shard can be had with one backup, Unix ms. */
export interface Window {
  backup: string;
  from: number;
  to: number;
  /** Of a shard at least nobody archived in between: not every moment of it can be had. The first first. */
  except?: { from: number; to: number }[];
}

/**
 * Which backup to begin from: the newest that was taken before the point, and behind which the archive of every shard reaches
 * it without a byte missing. It decides by names and manifests alone.
 *
 * @param backups the newest first
 * @param targetOf of the shard with these slots, as `slotsKey` writes them
 * @returns or why it can't be had, with the nearest points that can
 */
export function planRecovery(
  { backups, segments }: { backups: readonly BackupManifest[]; segments: readonly Segment[] },
  targetOf: (slots: string, shard: string) => Target,
): Recovery | { refused: string } {
  const stretches = stretchesOf(segments);
  const reasons: string[] = [];
  for (const backup of backups) {
    const shards: Recovery['shards'] = [];
    let reason: string | undefined;
    for (const shard of backup.shards) {
      const target = targetOf(slotsKey(shard.slots), shard.shard);
      const run = runAfter(stretches, shard, slotsKey(shard.slots))?.segments ?? [];
      const why = lacks(shard, run, target);
      reason ??= why && `${shard.shard} ${why}`;
      shards.push({ shard, target, segments: why === undefined ? neededOf(run, target) : [] });
    }
    if (reason === undefined) return { backup, shards };
    reasons.push(`${backup.backup}: ${reason}`);
  }
  const asked = backups.flatMap(({ shards }) => shards).map((it) => targetOf(slotsKey(it.slots), it.shard));
  const ms = asked.find((it) => it.kind === 'instant')?.ms;
  return { refused: refusal(reasons, windowsOf(backups, segments), ms) };
}

/** Why a shard's target can't be had behind its snapshot; undefined where it can. */
function lacks(shard: SealedShard, run: readonly Segment[], target: Target): string | undefined {
  const cutAt = Date.parse(shard.cutAt);
  if (target.kind === 'instant') {
    if (target.ms < cutAt) return `was cut at ${shard.cutAt}, after it`;
    const last = run.at(-1);
    if (!last) return `was cut at ${shard.cutAt}, and nothing is archived behind it`;
    return target.ms <= last.to ? undefined : `is archived without a gap until ${iso(last.to)} only`;
  }
  if (target.offset < shard.offset) return `stands at offset ${shard.offset}, behind ${target.offset}`;
  const last = run.at(-1)?.end ?? shard.offset;
  if (target.offset > last) return `is archived without a gap up to offset ${last} only`;
  // The same number in another history.
  const { object } = target;
  return object === undefined || run.some((it) => it.object === object)
    ? undefined
    : `goes on in another line of the archive`;
}

/** As far as it is to be read: in time, one that begins later has nothing of it. */
const neededOf = (run: readonly Segment[], target: Target): Segment[] =>
  run.filter((it) => (target.kind === 'instant' ? it.from <= target.ms : it.first <= target.offset));

/** What can be had, per backup; of those behind which nothing is archived, none. */
export function windowsOf(backups: readonly BackupManifest[], segments: readonly Segment[]): Window[] {
  const stretches = stretchesOf(segments);
  return backups.flatMap(({ backup, shards }) => {
    const runs = shards.map((shard) => runAfter(stretches, shard, slotsKey(shard.slots)));
    if (runs.some((run) => run === undefined)) return [];
    const from = Math.max(...shards.map(({ cutAt }) => Date.parse(cutAt)));
    const to = Math.min(...runs.map((run) => (run ? lastOf(run).to : 0)));
    if (to < from) return [];
    const away = runs.flatMap((run) => awayIn(run?.segments ?? [])).filter((it) => it.to > from && it.from < to);
    return [{ backup, from, to, ...(away.length === 0 ? {} : { except: joined(away) }) }];
  });
}

/** How far a deployment could be brought back now, with what lies in its target. */
export interface Reach {
  /** Up to then: of every shard, what had arrived at the archive, or what its backup has. Unix ms. */
  at: number;
  by: 'archive' | 'backup';
}

/** @param now Unix ms, as of when it is asked. @returns undefined where there is no backup */
export function reachOf(
  { backups, segments }: { backups: readonly BackupManifest[]; segments: readonly Segment[] },
  now: number,
): Reach | undefined {
  const reaches = [
    ...windowsOf(backups, segments).flatMap(({ from, to }): Reach[] =>
      from <= now ? [{ at: Math.min(to, now), by: 'archive' }] : [],
    ),
    ...backups.map((it): Reach => ({ at: Math.min(firstCut(it), now), by: 'backup' })),
  ];
  return reaches.reduce<Reach | undefined>(
    (best, it) => (best === undefined || it.at > best.at ? it : best),
    undefined,
  );
}

/** When the first of its shards was cut, Unix ms. */
export const firstCut = ({ shards }: Pick<BackupManifest, 'shards'>): number =>
  Math.min(...shards.map(({ cutAt }) => Date.parse(cutAt)));

function refusal(reasons: readonly string[], windows: readonly Window[], ms: number | undefined): string {
  if (reasons.length === 0) return 'there is no backup to begin from: take one (rollout backup)';
  const why = `no backup leads there (${reasons.slice(0, 3).join('; ')}${reasons.length > 3 ? '; …' : ''})`;
  if (windows.length === 0) return `${why}. Nothing else can be had with the archive: no backup lies in it`;
  if (ms === undefined) return `${why}. ${listed(windows)}`;
  const before = windows.filter(({ from }) => from <= ms).map(({ to }) => Math.min(to, ms));
  const after = windows.filter(({ from }) => from > ms).map(({ from }) => from);
  const nearest = [
    ...(before.length === 0 ? [] : [`before it ${iso(Math.max(...before))}`]),
    ...(after.length === 0 ? [] : [`after it ${iso(Math.min(...after))}`]),
  ];
  return `${why}. The nearest that can be had: ${nearest.join(', ')}`;
}

const listed = (windows: readonly Window[]): string =>
  `What can be had: ${windows
    .slice(0, 3)
    .map(({ from, to }) => `${iso(from)} to ${iso(to)}`)
    .join(', ')}`;

const iso = (ms: number): string => new Date(ms).toISOString();

/** Where a command was found that is to be undone. */
export interface Match {
  slots: string;
  object: string;
  /** Just before it, where nothing is under way. */
  offset: number;
  /** When it arrived, Unix ms. */
  at: number;
}

/** A command that goes to every primary comes to them within this, ms. */
export const TOGETHER_MS = 60_000;

/**
 * Where each shard goes to just before the last match: those that have one near it, to their own; the others to the instant
 * before the first of these.
 */
export function targetsBefore(matches: readonly Match[]): ((slots: string) => Target) | undefined {
  if (matches.length === 0) return undefined;
  const last = Math.max(...matches.map(({ at }) => at));
  const own = new Map<string, Match>();
  for (const match of [...matches].sort((a, b) => b.at - a.at || b.offset - a.offset))
    if (last - match.at <= TOGETHER_MS && !own.has(match.slots)) own.set(match.slots, match);
  const ms = Math.min(...[...own.values()].map(({ at }) => at)) - 1;
  return (slots) => {
    const match = own.get(slots);
    return match ? { kind: 'offset', offset: match.offset, object: match.object } : { kind: 'instant', ms };
  };
}
