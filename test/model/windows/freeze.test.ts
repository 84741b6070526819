// The upgrade that went on over Black Friday, because the window was open.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mayBegin, windowGate, windowOutlook } from '../../../model/calendar.js';
import { frozenTimes, isDay, type Freeze } from '../../../model/freeze.js';
import { weekdays, type MaintenanceWindow } from '../../../model/windows.js';

const at = (text: string): number => Date.parse(text);
const iso = (instant: number | undefined): string =>
  instant === undefined ? 'never' : new Date(instant).toISOString().replace(':00.000Z', 'Z');
const hour = 3_600_000;
const nights: MaintenanceWindow = { days: [...weekdays], from: '22:00', to: '04:00', timezone: 'Europe/Berlin' };
const friday: Freeze = { from: '2026-11-27', timezone: 'Europe/Berlin', reason: 'Black Friday' };
const holidays: Freeze = { from: '12-20', to: '01-03', timezone: 'Europe/Berlin', reason: 'end of the year' };

test('a day is frozen from its first midnight to its last, on the clocks of its place', () => {
  const [only] = frozenTimes([friday], at('2026-11-01T00:00Z'), at('2027-01-01T00:00Z'));
  expect([iso(only?.begins), iso(only?.ends)]).toEqual(['2026-11-26T23:00Z', '2026-11-27T23:00Z']);
  const gate = (now: string, neededMs = hour) => windowGate({ windows: [nights], freeze: [friday] }, at(now), neededMs);
  // The window of Thursday night is cut off at midnight, and Friday's begins with Saturday.
  expect(gate('2026-11-26T21:30Z')).toMatchObject({
    state: 'pass',
    reason: 'open until Fri 2026-11-27 00:00 Europe/Berlin (2026-11-26 23:00 UTC), then Black Friday',
  });
  expect(gate('2026-11-26T22:30Z')).toEqual({
    state: 'wait',
    reason:
      'the maintenance window closes Fri 2026-11-27 00:00 Europe/Berlin (2026-11-26 23:00 UTC), in 30 min: Black Friday (policy.freeze); this step is expected to take 1 h',
    clears: 'the window opens Sat 2026-11-28 00:00 Europe/Berlin (2026-11-27 23:00 UTC)',
  });
  expect(gate('2026-11-27T02:00Z')).toEqual({
    state: 'wait',
    reason: 'frozen until Sat 2026-11-28 00:00 Europe/Berlin (2026-11-27 23:00 UTC): Black Friday (policy.freeze)',
    clears: 'the window opens Sat 2026-11-28 00:00 Europe/Berlin (2026-11-27 23:00 UTC)',
  });
  expect(gate('2026-11-27T23:30Z')).toMatchObject({ state: 'pass' });
});

test('what comes every year is frozen in each, over the turn of the year too, and the window behind it is found', () => {
  const calendar = { windows: [{ ...nights, days: ['wed' as const] }], freeze: [holidays] };
  for (const year of [2026, 2027, 2031])
    for (const now of [`${year}-12-24T12:00Z`, `${year + 1}-01-02T12:00Z`])
      expect(windowGate(calendar, at(now), hour)).toMatchObject({
        state: 'wait',
        reason: `frozen until ${{ 2026: 'Mon', 2027: 'Tue', 2031: 'Sun' }[year] ?? ''} ${year + 1}-01-04 00:00 Europe/Berlin (${year + 1}-01-03 23:00 UTC): end of the year (policy.freeze)`,
      });
  expect(iso(mayBegin(calendar, at('2026-12-20T12:00Z'), hour))).toBe('2027-01-06T21:00Z');
});

test('without windows any time will do that is not frozen, and the plan says what comes', () => {
  const calendar = { windows: [], freeze: [friday, holidays] };
  const now = at('2026-11-26T20:00Z');
  expect(windowGate(calendar, now, hour)).toMatchObject({ state: 'pass' });
  expect(iso(mayBegin(calendar, now, 4 * hour))).toBe('2026-11-27T23:00Z');
  expect(windowOutlook(calendar, now, hour)).toEqual({
    ...{ opens: '2026-11-26T20:00:00.000Z', closes: '2026-11-26T23:00:00.000Z', timezone: 'Europe/Berlin' },
    ...{ isOpen: true, neededMs: hour, fits: true },
    frozen: [{ from: '2026-11-26T23:00:00.000Z', until: '2026-11-27T23:00:00.000Z', reason: 'Black Friday' }],
  });
  expect(windowGate({ windows: [], freeze: [friday] }, at('2026-12-01T00:00Z'), 99 * hour)).toMatchObject({ state: 'pass' }); // prettier-ignore
});

test('what is always frozen is said at once, and holds nothing for ever without a word', () => {
  const always = { windows: [nights], freeze: [{ ...holidays, from: '01-01', to: '12-31' }] };
  expect(windowGate(always, at('2026-06-01T00:00Z'), hour)).toMatchObject({
    state: 'fail',
    reason: expect.stringContaining('no maintenance window follows within 400 days') as string,
  });
  expect(mayBegin(always, at('2026-06-01T00:00Z'), hour)).toBeUndefined();
});

test.each(['2026-02-30', '2026-13-01', '02-29', '13-01', '1-1', '2026-1-1', 'today', ''])('%s is no day', (day) => {
  expect(isDay(day)).toBe(false);
});
test.each(['2028-02-29', '12-31', '02-28', '2026-11-27'])('%s is a day', (day) => {
  expect(isDay(day)).toBe(true);
});

const anyDay = fc.integer({ min: at('2026-01-01') / 86_400_000, max: at('2027-12-31') / 86_400_000 });
const dayText = (day: number): string => new Date(day * 86_400_000).toISOString().slice(0, 10);
const anyFreeze = fc
  .tuple(
    anyDay,
    fc.integer({ min: 0, max: 40 }),
    fc.constantFrom('UTC', 'Europe/Berlin', 'Pacific/Chatham'),
    fc.boolean(),
  )
  .map(([day, days, timezone, everyYear]): Freeze => {
    const [from, to] = [dayText(day), dayText(day + days)].map((it) => (everyYear ? it.slice(5) : it)) as [
      string,
      string,
    ];
    return { from, to, timezone, reason: 'because' };
  })
  .filter(({ from, to = '' }) => !from.endsWith('02-29') && !to.endsWith('02-29'));

test('an opening that a freeze has cut short is over once the freeze begins, for what takes no time at all too', () => {
  const calendar = {
    windows: [nights],
    freeze: [{ from: '2026-01-05', to: '2026-01-05', timezone: 'UTC', reason: 'a sale' }],
  };
  const begins = Date.UTC(2026, 0, 5);
  expect(windowGate(calendar, begins - 1, 0).state).toBe('pass');
  expect(windowGate(calendar, begins, 0).state).toBe('wait');
  expect(new Date(mayBegin(calendar, begins, 0) ?? 0).toISOString()).toBe('2026-01-06T00:00:00.000Z');
  expect(windowOutlook(calendar, begins + 30 * 60_000, 0)).toMatchObject({
    isOpen: false,
    opens: '2026-01-06T00:00:00.000Z',
  });
});

test('nothing is ever begun on a frozen day, nor so that it would end in one', () => {
  fc.assert(
    fc.property(
      fc.array(anyFreeze, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      anyDay,
      fc.integer({ min: 0, max: 8 }),
      (freeze, hasWindows, day, hours) => {
        const calendar = { windows: hasWindows ? [nights] : [], freeze };
        const now = day * 86_400_000;
        const begins = mayBegin(calendar, now, hours * hour);
        if (begins === undefined) return;
        expect(begins).toBeGreaterThanOrEqual(now);
        expect(windowGate(calendar, begins, hours * hour).state).toBe('pass');
        for (const moment of [begins, begins + hours * hour - 1])
          for (const { from, to = '', timezone } of moment < begins ? [] : freeze) {
            const shown = new Date(moment).toLocaleDateString('sv-SE', { timeZone: timezone });
            const date = from.length === 5 ? shown.slice(5) : shown;
            const inside = from <= to ? from <= date && date <= to : date >= from || date <= to;
            expect(inside, `${new Date(moment).toISOString()} in ${from} to ${to}`).toBe(false);
          }
      },
    ),
    { numRuns: 150 },
  );
});
