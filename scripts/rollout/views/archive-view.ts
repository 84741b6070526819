import type { Segment } from '../../../model/archive.js';
import { coverageOf, type Coverage } from '../../../model/archive-coverage.js';
import type { BackupManifest } from '../../../model/backup-manifest.js';
import { formatDuration } from '../../../model/duration.js';
import { windowsOf } from '../../../model/recovery.js';
import { columns } from './columns.js';

/** The archive as `rollout backups` lists it. */
export interface ListedArchive {
  shards: {
    slots: string;
    /** Instants since when and until when no byte is missing, the oldest first. */
    stretches: { from: string; to: string; segments: number }[];
    /** Instants between which not every moment can be had, and why. */
    gaps: { from: string; to: string; why: string }[];
    /** How long ago its last segment ended, ms. */
    behindMs: number;
  }[];
  /** Since when until when all shards can be brought back, by the backup that it begins from; and when not. */
  points: { backup: string; from: string; to: string; except: { from: string; to: string }[] }[];
}

export function listedArchive(segments: readonly Segment[], manifests: readonly BackupManifest[]): ListedArchive {
  return {
    shards: coverageOf(segments).map(({ slots, stretches, gaps }) => ({
      slots,
      stretches: stretches.map((it) => ({ ...span(it), segments: it.segments })),
      gaps: gaps.map((it) => ({ ...span(it), why: it.why })),
      behindMs: Math.max(0, Date.now() - lastTo(stretches)),
    })),
    points: windowsOf(manifests, segments).map(({ backup, except = [], ...it }) => ({
      ...{ backup, ...span(it) },
      except: except.map(span),
    })),
  };
}

const iso = (ms: number): string => new Date(ms).toISOString();
const span = ({ from, to }: { from: number; to: number }) => ({ from: iso(from), to: iso(to) });
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
  const gaps = shards.flatMap(({ slots, gaps: all }) =>
    all.map(({ from, to, why }, i) => [i === 0 ? slots : '', from, to, why]),
  );
  return [
    '',
    'Archived without a gap',
    ...columns([['slots', 'from', 'to', 'ago', 'segments'], ...rows], { width, indent: 2 }),
    ...(gaps.length === 0
      ? []
      : ['', 'What can’t be had', ...columns([['slots', 'from', 'to', ''], ...gaps], { width, indent: 2 })]),
    '',
    ...(points.length === 0
      ? ['No moment can be had with it yet: no backup of all shards lies in it.']
      : ['Every moment can be had', ...points.flatMap(pointLines)]),
  ];
}

const pointLines = ({ backup, from, to, except }: ListedArchive['points'][number]): string[] => [
  `  from ${from} to ${to}, with backup ${backup}`,
  ...except.map((it) => `    but from ${it.from} to ${it.to}, when nobody archived`),
];
