import { coverageOf, type Coverage, type Segment } from '../../../model/archive.js';
import type { BackupManifest } from '../../../model/backup-manifest.js';
import { formatDuration } from '../../../model/duration.js';
import { windowsOf } from '../../../model/recovery.js';
import { columns } from './columns.js';

/** The archive as `rollout backups` lists it. */
export interface ListedArchive {
  shards: {
    slots: string;
    /** Instants since when and until when nothing is missing, the oldest first. What lies between two of them can't be had. */
    stretches: { from: string; to: string; segments: number }[];
    /** How long ago its last segment ended, ms. */
    behindMs: number;
  }[];
  /** Since when until when all shards can be brought back, by the backup that it begins from. */
  points: { backup: string; from: string; to: string }[];
}

export function listedArchive(segments: readonly Segment[], manifests: readonly BackupManifest[]): ListedArchive {
  return {
    shards: coverageOf(segments).map(({ slots, stretches }) => ({
      slots,
      stretches: stretches.map((it) => ({ from: iso(it.from), to: iso(it.to), segments: it.segments })),
      behindMs: Math.max(0, Date.now() - lastTo(stretches)),
    })),
    points: windowsOf(manifests, segments).map(({ backup, from, to }) => ({ backup, from: iso(from), to: iso(to) })),
  };
}

const iso = (ms: number): string => new Date(ms).toISOString();
const lastTo = (stretches: Coverage['stretches']): number => Math.max(0, ...stretches.map(({ to }) => to));

export function archiveView(
  { shards, points }: ListedArchive,
  { now, width }: { now: number; width: number },
): string[] {
  if (shards.length === 0) return [];
  const rows = shards.flatMap(({ slots, stretches }) =>
    stretches.map(({ from, to, segments }, i) => [
      i === 0 ? slots : '',
      from,
      to,
      formatDuration(Math.max(0, now - Date.parse(to))),
      String(segments),
    ]),
  );
  return [
    '',
    'Archived without a gap',
    ...columns([['slots', 'from', 'to', 'ago', 'segments'], ...rows], { width, indent: 2 }),
    '',
    ...(points.length === 0
      ? ['No moment can be had with it yet: no backup of all shards lies in it.']
      : ['Every moment can be had', ...points.map(({ backup, from, to }) => `  from ${from} to ${to}, with backup ${backup}`)]), // prettier-ignore
  ];
}
