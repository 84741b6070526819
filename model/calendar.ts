import { formatDuration } from './duration.js';
import { frozenTimes, type Freeze, type FrozenTime } from './freeze.js';
import type { WindowOutlook } from './plan.js';
import { fail, pass, wait, type Verdict } from './verdict.js';
import { DAY_MS, DAYS_AHEAD, formatInstant, openings, type MaintenanceWindow, type Opening } from './windows.js';

/** When nodes may be touched. Without windows any time will do that is not frozen. */
export interface Calendar {
  windows: readonly MaintenanceWindow[];
  /** Absent in what was recorded before there were any. */
  freeze?: readonly Freeze[] | undefined;
}

/** Of a freeze that ends later than this nobody can say when something may begin. */
const MOST_DAYS_AHEAD = 400;

export const isFree = ({ windows, freeze = [] }: Calendar): boolean => windows.length === 0 && freeze.length === 0;

/** A time in which nodes may be touched; where it is ended by a freeze, that. */
interface Time extends Opening {
  endedBy?: FrozenTime;
}

interface Times {
  /** What is and what comes, in order. */
  open: Time[];
  frozen: FrozenTime[];
}

/** Far enough ahead that there is an opening behind every freeze that lies in the way. */
function timesOf({ windows, freeze = [] }: Calendar, now: number): Times {
  const furthest = now + MOST_DAYS_AHEAD * DAY_MS;
  let until = now + DAYS_AHEAD * DAY_MS;
  const all = frozenTimes(freeze, now, furthest);
  for (const { begins, ends } of all)
    if (begins < until) until = Math.min(furthest, Math.max(until, ends + DAYS_AHEAD * DAY_MS));
  const frozen = all.filter(({ begins }) => begins < until);
  const always: Opening[] = [{ opens: now, closes: Infinity, timezone: freeze[0]?.timezone ?? 'UTC' }];
  const daysAhead = Math.ceil((until - now) / DAY_MS);
  const base = windows.length === 0 ? always : openings(windows, now, daysAhead);
  // What a freeze has cut short may be over.
  return { open: frozen.reduce<Time[]>(without, base).filter(({ closes }) => closes > now), frozen };
}

/** What is left of the times beside one that is frozen. */
const without = (times: readonly Time[], frozen: FrozenTime): Time[] =>
  times.flatMap((time) => {
    const { begins, ends } = frozen;
    if (ends <= time.opens || begins >= time.closes) return [time];
    return [
      ...(time.opens < begins ? [{ ...time, closes: begins, endedBy: frozen }] : []),
      ...(time.closes > ends ? [{ ...time, opens: ends }] : []),
    ];
  });

/** The first in which there is time enough left for it. */
const fitting = (all: readonly Time[], now: number, neededMs: number): Time | undefined =>
  all.find(({ opens, closes }) => closes - Math.max(opens, now) >= neededMs);

/** When something that takes this long may begin: now, at an opening to come, or, if none is long enough, never. */
export function mayBegin(calendar: Calendar, now: number, neededMs: number): number | undefined {
  if (isFree(calendar)) return now;
  const found = fitting(timesOf(calendar, now).open, now, neededMs);
  return found && Math.max(found.opens, now);
}

/**
 * May something begin now that is expected to take this long?
 *
 * @param now Unix ms
 */
export function windowGate(calendar: Calendar, now: number, neededMs: number): Verdict {
  if (isFree(calendar)) return pass('no maintenance windows: any time will do');
  const { open, frozen } = timesOf(calendar, now);
  const found = fitting(open, now, neededMs);
  const takes = `this step is expected to take ${formatDuration(neededMs)}`;
  const isFrozen = frozen.find(({ begins, ends }) => begins <= now && now < ends);
  if (!found) {
    const longest = Math.max(0, ...open.map(({ opens, closes }) => closes - opens));
    return fail(
      open.length === 0 && isFrozen
        ? `${frozenText(isFrozen)}, and no maintenance window follows within ${MOST_DAYS_AHEAD} days`
        : `${takes}, and the longest maintenance window has ${formatDuration(longest)}`,
      'policy.windows has one that is long enough, and the upgrade is started again',
    );
  }
  if (found.opens <= now) return pass(openText(found));
  const clears = `the window opens ${formatInstant(found.opens, found.timezone)}`;
  if (isFrozen) return wait(frozenText(isFrozen), clears);
  const [first] = open;
  if (first === undefined || first.opens > now) return wait('outside of the maintenance windows', clears);
  const why = first.endedBy ? `: ${first.endedBy.reason} (policy.freeze)` : '';
  return wait(
    `the maintenance window closes ${formatInstant(first.closes, first.timezone)}, in ${formatDuration(first.closes - now)}${why}; ${takes}`,
    clears,
  );
}

const frozenText = ({ ends, timezone, reason }: FrozenTime): string =>
  `frozen until ${formatInstant(ends, timezone)}: ${reason} (policy.freeze)`;

const openText = ({ closes, timezone, endedBy }: Time): string =>
  Number.isFinite(closes)
    ? `open until ${formatInstant(closes, timezone)}${endedBy ? `, then ${endedBy.reason}` : ''}`
    : 'nothing is frozen';

/** The next opening and whether all of it fits, for whoever plans; undefined where any time will do. */
export function windowOutlook(calendar: Calendar, now: number, neededMs: number): WindowOutlook | undefined {
  if (isFree(calendar)) return undefined;
  const { open, frozen } = timesOf(calendar, now);
  const [next] = open;
  if (!next) return undefined;
  const { opens, closes, timezone } = next;
  const iso = (instant: number): string => new Date(instant).toISOString();
  return {
    opens: iso(opens),
    ...(Number.isFinite(closes) ? { closes: iso(closes) } : {}),
    ...{ timezone, isOpen: opens <= now, neededMs },
    fits: closes - Math.max(opens, now) >= neededMs,
    ...(frozen.length === 0
      ? {}
      : { frozen: frozen.map(({ begins, ends, reason }) => ({ from: iso(begins), until: iso(ends), reason })) }),
  };
}
