import { backupTiers, type BackupTier } from './backup-tiers.js';
import type { BackupSchedule } from './backup-policy.js';
import { weekdays } from './windows.js';

/** Inclusive. */
export interface Span {
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

/** When a tier's backup is taken: whenever `at` says and none of `skip`. */
export interface TierTimes {
  tier: BackupTier;
  at: CalendarTimes;
  /** A higher tier's, which is taken in its place. */
  skip: CalendarTimes[];
  /** For people: `daily at 02:00 UTC`. */
  text: string;
}

const one = (value: number): Span => ({ start: value, end: value });

/** The tiers of a deployment file, the lowest first. At most one backup is begun at a time. */
export function tierTimes({ tiers, at, weekday, monthday, timezone }: BackupSchedule): TierTimes[] {
  const [hour = 0, minute = 0] = at.split(':').map(Number);
  const anyDay = { dayOfMonth: { start: 1, end: 31 }, dayOfWeek: { start: 0, end: 6 } };
  const once = { minute: one(minute), hour: one(hour), ...anyDay };
  const times: Record<BackupTier, { at: CalendarTimes; text: string }> = {
    hourly: { at: { ...once, hour: { start: 0, end: 23 } }, text: `every hour at :${at.slice(3)}` },
    daily: { at: once, text: `every day at ${at}` },
    weekly: { at: { ...once, dayOfWeek: one(weekdays.indexOf(weekday)) }, text: `every ${weekday} at ${at}` },
    monthly: { at: { ...once, dayOfMonth: one(monthday) }, text: `on day ${monthday} of the month at ${at}` },
  };
  const chosen = backupTiers.filter((tier) => tiers.includes(tier));
  return chosen.map((tier, i) => ({
    tier,
    at: times[tier].at,
    skip: chosen.slice(i + 1).map((higher) => times[higher].at),
    text: `${times[tier].text} ${timezone}`,
  }));
}
