import { formatDuration, formatMoment } from '../../../model/duration.js';
import type { ScheduleState } from '../../../workers/schedules.js';
import { columns } from './columns.js';

/** A schedule with what became of its last run: `completed`, `failed`, `running`, … */
export type SeenSchedule = Omit<ScheduleState, 'last'> & { last?: ScheduleState['last'] & { status?: string } };

export function schedulesView(
  schedules: readonly SeenSchedule[],
  { deployment, now, width }: { deployment: string; now: number; width: number },
): string[] {
  if (schedules.length === 0) return [`Nothing of ${deployment} is scheduled.`, `See: rollout schedule --help`];
  const rows = schedules.map((it) => [
    it.kind === 'drill' ? 'drill' : `${it.kind} backup`,
    it.when ?? 'not in the file',
    it.next === undefined ? '' : `in ${formatDuration(Math.max(0, Date.parse(it.next) - now))}`,
    it.last === undefined ? 'never' : `${formatMoment(it.last.at)} ${it.last.status ?? ''}`.trimEnd(),
    notes(it),
  ]);
  return [
    `Schedules of ${deployment}`,
    ...columns([['of', 'when', 'next', 'last', ''], ...rows], { width, indent: 2 }),
  ];
}

function notes({ change, paused, note, skipped, missed }: SeenSchedule): string {
  return [
    ...(change === 'none' ? [] : [change]),
    ...(paused && change !== 'paused' ? ['paused'] : []),
    ...(paused && note !== undefined ? [note] : []),
    ...(skipped > 0 ? [`${skipped} left out, the one before being under way`] : []),
    ...(missed > 0 ? [`${missed} missed`] : []),
  ].join('; ');
}
