import { formatSize } from '../../../model/duration.js';
import type { LeftoverSummary, PrunePlan, PruneResult, SegmentsSummary } from '../../../model/pruning.js';
import { columns } from './columns.js';

/** `2 objects of 1.2 GB, 1 unfinished upload` */
export const leftoverText = ({ objects, unfinished, bytes }: Omit<LeftoverSummary, 'backup'>): string =>
  [
    ...(objects === 0 ? [] : [`${count(objects, 'object')} of ${formatSize(bytes)}`]),
    ...(unfinished === 0 ? [] : [count(unfinished, 'unfinished upload')]),
  ].join(', ');

const count = (n: number, what: string): string => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;

/** Below the list of backups: what there is of those that are none. */
export function leftoversView(leftovers: readonly LeftoverSummary[], deployment: string): string[] {
  if (leftovers.length === 0) return [];
  return [
    `Left by backups that failed: ${leftovers.map((it) => `${it.backup} (${leftoverText(it)})`).join(', ')}.`,
    `Remove it: rollout backups prune ${deployment}`,
  ];
}

export function prunePlanView(
  { target, backups, leftovers, archive }: PrunePlan,
  { deployment, width }: { deployment: string; width: number },
): string[] {
  const go = backups.filter(({ stays }) => !stays).length;
  const rows = backups.map(({ backup, stays, reason }) => [backup, stays ? 'stays' : 'would go', reason]);
  const left = leftovers.map((it) => [it.backup, 'would go', `left by a backup that failed: ${leftoverText(it)}`]);
  return [
    `${go} of ${count(backups.length, 'backup')} of ${deployment} in ${target} would go. Nothing was removed.`,
    ...columns([...rows, ...left], { width, indent: 2 }),
    ...(archive === undefined
      ? []
      : [
          archive.goes.segments === 0
            ? `Of the archive nothing would go: ${count(archive.stays, 'segment')} there.`
            : `Of the archive ${segmentsText(archive.goes)} would go, ${archive.stays} would stay.`,
          `Every moment from ${archive.keptFrom} on stays that can be had (backup.archive.keep).`,
        ]),
  ];
}

/** `31,204 segments (1.2 GB), written from … to …` */
const segmentsText = ({ segments, bytes, from, to }: SegmentsSummary): string =>
  `${count(segments, 'segment')} (${formatSize(bytes)})${from === undefined || to === undefined ? '' : `, written from ${from} to ${to},`}`;

export function prunedView(
  { target, stay, backups, leftovers, archive }: PruneResult,
  { deployment, width }: { deployment: string; width: number },
): string[] {
  const removed = backups.filter(({ state }) => state === 'removed').length;
  const words = { removed: 'removed', locked: 'locked', needed: 'stays' } as const;
  const rows = backups.map(({ backup, state, reason }) => [
    ...[backup, words[state]],
    state === 'locked' ? `nobody can remove it until ${reason}` : reason,
  ]);
  const left = leftovers.map(({ backup, state, reason, ...it }) => [
    ...[backup, words[state]],
    `left by a backup that failed: ${leftoverText(it)}${state === 'locked' ? `; nobody can remove it until ${reason}` : ''}`,
  ]);
  return [
    `${count(removed, 'backup')} of ${deployment} removed from ${target}, ${stay} there.`,
    ...columns([...rows, ...left], { width, indent: 2 }),
    ...(archive === undefined
      ? []
      : [
          `Of the archive ${segmentsText(archive)} ${archive.segments === 1 ? 'was' : 'were'} removed${archive.locked === undefined ? '' : `; the next is locked until ${archive.locked}`}.`,
        ]),
  ];
}
