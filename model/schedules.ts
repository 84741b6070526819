import type { BackupSchedule } from './backup-policy.js';
import { backupTiers, type BackupTier } from './backup-tiers.js';
import type { Deployment } from './deployment.js';
import type { DrillSchedule } from './drill-policy.js';
import { backupScheduleId, drillScheduleId, type WorkflowType } from './names.js';
import { weekdays } from './windows.js';

/** Inclusive. */
interface Span {
  start: number;
  end: number;
}

/** Times that match all of it, at the whole minute. */
export interface CalendarTimes {
  minute: Span;
  hour: Span;
  /** 1 to 31. */
  dayOfMonth: Span;
  /** 0: Sunday. */
  dayOfWeek: Span;
}

/** What is done by itself: backups of a tier, or drills. */
export type ScheduleKind = BackupTier | 'drill';

/** A Temporal Schedule, as the deployment file has it. */
export interface WantedSchedule {
  kind: ScheduleKind;
  /** Begun whenever `at` says and none of `skip`, on the clocks of `timezone`. */
  at: CalendarTimes;
  /** Times of a higher tier's backup, which is taken in its place. */
  skip: CalendarTimes[];
  timezone: string;
  /** How late one may begin: at random, and once Temporal is back, ms. */
  jitter: number;
  catchUp: number;
  /** For people: `every day at 02:00 UTC`. */
  text: string;
  type: WorkflowType;
  input: object;
  /** For whoever looks at one that runs. */
  summary: string;
}

/** Every schedule that a deployment may have, by its kind. */
export const scheduleIds = (deployment: string): readonly (readonly [ScheduleKind, string])[] => [
  ...backupTiers.map((tier) => [tier, backupScheduleId(deployment, tier)] as const),
  ['drill', drillScheduleId(deployment)],
];

/** Those that the deployment file asks for. */
export function wantedSchedules({
  name,
  backup: { schedule },
  drill,
}: Pick<Deployment, 'name' | 'backup' | 'drill'>): WantedSchedule[] {
  return [
    ...(schedule ? backupSchedules(name, schedule) : []),
    ...(drill.schedule ? [drillSchedule(name, drill.schedule)] : []),
  ];
}

const one = (value: number): Span => ({ start: value, end: value });
const anyDay = { dayOfMonth: { start: 1, end: 31 }, dayOfWeek: { start: 0, end: 6 } };

function clockOf(at: string): Pick<CalendarTimes, 'minute' | 'hour'> {
  const [hour = 0, minute = 0] = at.split(':').map(Number);
  return { minute: one(minute), hour: one(hour) };
}

type Times = Pick<WantedSchedule, 'at' | 'text'>;
type Days = Pick<BackupSchedule, 'at' | 'weekday' | 'monthday'>;

const daily = ({ at }: Days): Times => ({ at: { ...clockOf(at), ...anyDay }, text: `every day at ${at}` });
const weekly = ({ at, weekday }: Days): Times => ({
  at: { ...clockOf(at), ...anyDay, dayOfWeek: one(weekdays.indexOf(weekday)) },
  text: `every ${weekday} at ${at}`,
});
const monthly = ({ at, monthday }: Days): Times => ({
  at: { ...clockOf(at), ...anyDay, dayOfMonth: one(monthday) },
  text: `on day ${monthday} of the month at ${at}`,
});

/** The lowest tier first. At most one backup is begun at a time. */
function backupSchedules(name: string, schedule: BackupSchedule): WantedSchedule[] {
  const { tiers, at, timezone, jitter, catchUp } = schedule;
  const times: Record<BackupTier, Times> = {
    hourly: { at: { ...daily(schedule).at, hour: { start: 0, end: 23 } }, text: `every hour at :${at.slice(3)}` },
    daily: daily(schedule),
    weekly: weekly(schedule),
    monthly: monthly(schedule),
  };
  const chosen = backupTiers.filter((tier) => tiers.includes(tier));
  return chosen.map((tier, i) => {
    const text = `${times[tier].text} ${timezone}`;
    return {
      ...{ kind: tier, at: times[tier].at, timezone, jitter, catchUp, text },
      skip: chosen.slice(i + 1).map((higher) => times[higher].at),
      ...{ type: 'scheduledBackup', input: { deployment: name, tier, startedBy: 'schedule' } },
      summary: `${name}: a ${tier} backup, ${text}`,
    };
  });
}

function drillSchedule(name: string, schedule: DrillSchedule): WantedSchedule {
  const { every, timezone, jitter, catchUp } = schedule;
  const times = { day: daily, week: weekly, month: monthly }[every](schedule);
  const text = `${times.text} ${timezone}`;
  return {
    ...{ kind: 'drill', at: times.at, skip: [], timezone, jitter, catchUp, text },
    ...{ type: 'scheduledDrill', input: { deployment: name, startedBy: 'schedule' } },
    summary: `${name}: a drill, ${text}`,
  };
}

const DAY_MS = 86_400_000;

/** How long it is from one drill to the next at the most, ms. */
export const drillEveryMs = ({ every }: DrillSchedule): number => ({ day: 1, week: 7, month: 31 })[every] * DAY_MS;
