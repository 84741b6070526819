import { clockOf, DAY_MS, firstAt } from './windows.js';

/** Days on which nothing is begun, both ends among them: `2026-12-20`, or `12-20` of every year. */
export interface Freeze {
  from: string;
  to?: string | undefined;
  timezone: string;
  reason: string;
}

/** One of them, Unix ms: from the first midnight to the last; `ends` is not part of it. */
export interface FrozenTime {
  begins: number;
  ends: number;
  timezone: string;
  reason: string;
}

/** A date, or a day of every year; February 29th is no day that every year has. */
const FREEZE_DAY = /^(\d{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;

export const isEveryYear = (day: string): boolean => /^\d\d-\d\d$/.test(day);

/** Is there such a day? */
export function isDay(day: string): boolean {
  if (!FREEZE_DAY.test(day)) return false;
  const date = isEveryYear(day) ? `2026-${day}` : day;
  return new Date(`${date}T00:00Z`).toISOString().startsWith(date);
}

/** Those that are, and those to come until then, in order; ones that overlap stay apart, each with its reason. */
export function frozenTimes(freezes: readonly Freeze[], now: number, until: number): FrozenTime[] {
  return freezes
    .flatMap((freeze) => yearsOf(freeze, now, until).map((year) => frozenTime(freeze, year)))
    .filter(({ begins, ends }) => ends > now && begins < until && ends > begins)
    .sort((a, b) => a.begins - b.begins);
}

/** Of what comes every year, each that may touch the time; of a date none is needed. */
function yearsOf({ from }: Freeze, now: number, until: number): (number | undefined)[] {
  if (!isEveryYear(from)) return [undefined];
  const [first, last] = [now, until].map((instant) => new Date(instant).getUTCFullYear()) as [number, number];
  return Array.from({ length: last - first + 3 }, (_, i) => first - 1 + i);
}

function frozenTime({ from, to = from, timezone, reason }: Freeze, year: number | undefined): FrozenTime {
  const clock = clockOf(timezone);
  const midnight = (day: string, inYear: number | undefined): number =>
    Date.parse(`${inYear === undefined ? '' : `${inYear}-`}${day}T00:00Z`);
  const begin = midnight(from, year);
  // From December to January it ends in the year after.
  const end = midnight(to, year === undefined ? undefined : to < from ? year + 1 : year);
  return { begins: firstAt(clock, begin), ends: firstAt(clock, end + DAY_MS), timezone, reason };
}
