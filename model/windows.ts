import type { Plan } from './plan.js';

/** In the order in which `Date` counts them. */
export const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
export type Weekday = (typeof weekdays)[number];

/** `22:00` to `04:00` on the clocks of a place; of one over midnight, `days` are those on which it opens. */
export interface MaintenanceWindow {
  days: readonly Weekday[];
  from: string;
  to: string;
  timezone: string;
}

/** One opening, Unix ms; `closes` is not part of it. Openings that touch are one. */
export interface Opening {
  opens: number;
  closes: number;
  /** Of the window that it opens with: whoever reads of it has that place's clock on the wall. */
  timezone: string;
}

export const DAY_MS = 86_400_000;
/** A weekly window may be left out by a change of clocks: the next one is within two weeks all the same. */
export const DAYS_AHEAD = 16;

/** Does this runtime know the time zone? */
export function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** `04:00:30` in ms since midnight. */
export const timeOfDayMs = (text: string): number =>
  text.split(':').reduce((ms, part, i) => ms + Number(part) * ([3_600_000, 60_000, 1000][i] ?? 0), 0);

/** Reads the clocks of a time zone, whatever the zone of the machine: what they show at an instant, as if it were UTC. */
export function clockOf(timezone: string): (instant: number) => number {
  const numeric = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' } as const;
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ ...numeric, second: 'numeric', hourCycle: 'h23', calendar: 'gregory', numberingSystem: 'latn' },
    timeZone: timezone,
  });
  return (instant) => {
    const shown = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown;
    return Date.UTC(year, month - 1, day, hour, minute, second);
  };
}

/**
 * The first instant at which the clocks show this time or a later one: of a time that comes twice the first, of one that
 * the clocks leave out the moment of the change.
 */
export function firstAt(clock: (instant: number) => number, shown: number): number {
  const offsets = [shown - 1.5 * DAY_MS, shown + 1.5 * DAY_MS].map((instant) => clock(instant) - instant);
  let early = shown - Math.max(...offsets);
  let late = shown - Math.min(...offsets);
  if (clock(early) === shown) return early;
  if (clock(late) === shown) return late;
  while (late - early > 1000) {
    const middle = early + Math.floor((late - early) / 2000) * 1000;
    if (clock(middle) >= shown) late = middle;
    else early = middle;
  }
  return late;
}

/** The opening that is, and those to come within two weeks, in order. The same for the same input on every machine. */
export function openings(windows: readonly MaintenanceWindow[], now: number, daysAhead = DAYS_AHEAD): Opening[] {
  const all = windows.flatMap(({ days, from, to, timezone }): Opening[] => {
    const clock = clockOf(timezone);
    const [begin, end] = [timeOfDayMs(from), timeOfDayMs(to)];
    const today = Math.floor(clock(now) / DAY_MS) * DAY_MS;
    const midnights = Array.from({ length: daysAhead + 2 }, (_, i) => today + (i - 2) * DAY_MS);
    return midnights
      .filter((midnight) => days.includes(weekdays[new Date(midnight).getUTCDay()] ?? 'sun'))
      .map((midnight) => ({
        opens: firstAt(clock, midnight + begin),
        closes: firstAt(clock, midnight + end + (end <= begin ? DAY_MS : 0)),
        timezone,
      }));
  });
  const merged: Opening[] = [];
  for (const next of all.filter(({ opens, closes }) => closes > opens).sort((a, b) => a.opens - b.opens)) {
    const last = merged.at(-1);
    if (last && next.opens <= last.closes) last.closes = Math.max(last.closes, next.closes);
    else merged.push({ ...next });
  }
  return merged.filter(({ closes }) => closes > now);
}

/**
 * How long what is about to begin will take, ms, as the plan has it: one node, or a handover with the restart of the old
 * primary after it, since nothing may come between. Of a node that the plan doesn't know, the longest of its shard.
 */
export function timeNeeded(
  plan: Plan | undefined,
  shard: string | undefined,
  node: string | undefined,
  isHandover: boolean,
): number {
  const steps = plan?.shards.find((it) => it.shard === shard)?.steps ?? [];
  const upgrades = steps.filter(({ kind }) => kind === 'upgrade replica' || kind === 'upgrade primary');
  const longest = Math.max(0, ...upgrades.map(({ expectedMs }) => expectedMs));
  if (!isHandover) return upgrades.find((it) => it.node === node)?.expectedMs ?? longest;
  return longest + (steps.find(({ kind }) => kind === 'handover')?.expectedMs ?? 0);
}

/** `Tue 24 Nov 22:00 Europe/Berlin (2026-11-24 21:00 UTC)` */
export function formatInstant(at: number, timezone: string): string {
  const utc = `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  if (timezone === 'UTC') return utc;
  const there = new Date(clockOf(timezone)(at));
  const weekday = weekdays[there.getUTCDay()] ?? '';
  return `${weekday.charAt(0).toUpperCase()}${weekday.slice(1)} ${there.toISOString().slice(0, 16).replace('T', ' ')} ${timezone} (${utc})`;
}
