// A window that is an hour off twice a year opens a deployment in the middle of the day that nobody meant.
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mayBegin, windowGate } from '../../../model/calendar.js';
import { openings, timeOfDayMs, weekdays, type MaintenanceWindow } from '../../../model/windows.js';

const at = (text: string): number => Date.parse(text);
const iso = (instant: number): string => new Date(instant).toISOString().replace(':00.000Z', 'Z');
const night: MaintenanceWindow = { days: ['tue', 'thu'], from: '22:00', to: '04:00', timezone: 'Europe/Berlin' };
const hour = 3_600_000;

const zones = [
  ...['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia'],
  ...['America/St_Johns', 'Africa/Casablanca', 'Pacific/Chatham', 'America/Santiago'],
] as const;
const shown = (instant: number, timeZone: string): string =>
  new Date(instant).toLocaleString('sv-SE', { timeZone, hourCycle: 'h23' });

/** Whole minutes, so that the clocks of every zone show whole minutes too. */
const anyInstant = fc
  .integer({ min: at('2025-01-01') / 60_000, max: at('2028-01-01') / 60_000 })
  .map((it) => it * 60_000);
const anyTime = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map((parts) => parts.map((it) => String(it).padStart(2, '0')).join(':'));
const anyWindow = fc
  .record({
    days: fc.uniqueArray(fc.constantFrom(...weekdays), { minLength: 1 }),
    ...{ from: anyTime, to: anyTime, timezone: fc.constantFrom(...zones) },
  })
  .filter(({ from, to }) => from !== to);

test('over midnight: the day is the one on which it opens', () => {
  const opens = openings([night], at('2026-11-23T12:00Z')).slice(0, 3);
  expect(opens.map(({ opens, closes }) => [iso(opens), iso(closes)])).toEqual([
    ['2026-11-24T21:00Z', '2026-11-25T03:00Z'],
    ['2026-11-26T21:00Z', '2026-11-27T03:00Z'],
    ['2026-12-01T21:00Z', '2026-12-02T03:00Z'],
  ]);
  // After midnight it is still Tuesday's.
  expect(windowGate({ windows: [night] }, at('2026-11-25T02:00Z'), 0)).toMatchObject({ state: 'pass' });
  expect(windowGate({ windows: [night] }, at('2026-11-24T02:00Z'), 0)).toMatchObject({ state: 'wait' });
});

test.each([
  // Berlin, 29 March 2026: 02:00 becomes 03:00. 25 October 2026: 03:00 becomes 02:00 again.
  ['an hour is missing', { from: '22:00', to: '04:00' }, '2026-03-28T12:00Z', '2026-03-28T21:00Z', '2026-03-29T02:00Z'],
  [
    'it opens in the hour that is missing',
    { from: '02:30', to: '04:00' },
    '2026-03-28T12:00Z',
    '2026-03-29T01:00Z',
    '2026-03-29T02:00Z',
  ],
  [
    'it closes in the hour that is missing',
    { from: '01:00', to: '02:30' },
    '2026-03-28T12:00Z',
    '2026-03-29T00:00Z',
    '2026-03-29T01:00Z',
  ],
  [
    'an hour comes twice',
    { from: '22:00', to: '04:00' },
    '2026-10-24T12:00Z',
    '2026-10-24T20:00Z',
    '2026-10-25T03:00Z',
  ],
  [
    'it opens in the hour that comes twice',
    { from: '02:30', to: '04:00' },
    '2026-10-24T23:00Z',
    '2026-10-25T00:30Z',
    '2026-10-25T03:00Z',
  ],
  [
    'it closes in the hour that comes twice',
    { from: '01:00', to: '02:30' },
    '2026-10-24T22:30Z',
    '2026-10-24T23:00Z',
    '2026-10-25T00:30Z',
  ],
])('%s', (_, { from, to }, now, opens, closes) => {
  const [next] = openings([{ days: [...weekdays], from, to, timezone: 'Europe/Berlin' }], at(now));
  expect([iso(next?.opens ?? 0), iso(next?.closes ?? 0)]).toEqual([opens, closes]);
});

test('a window that lies in the missing hour alone is left out that day, and no step is begun', () => {
  const missing = { days: ['sun' as const], from: '02:00', to: '03:00', timezone: 'Europe/Berlin' };
  expect(iso(openings([missing], at('2026-03-28T12:00Z'))[0]?.opens ?? 0)).toBe('2026-04-05T00:00Z');
});

test('windows that touch or overlap are one', () => {
  const windows: MaintenanceWindow[] = [
    { days: ['mon'], from: '20:00', to: '24:00', timezone: 'UTC' },
    { days: ['tue'], from: '00:00', to: '02:00', timezone: 'UTC' },
    { days: ['tue'], from: '02:30', to: '05:00', timezone: 'Europe/Berlin' },
  ];
  const [first] = openings(windows, at('2026-11-23T12:00Z'));
  expect([iso(first?.opens ?? 0), iso(first?.closes ?? 0)]).toEqual(['2026-11-23T20:00Z', '2026-11-24T04:00Z']);
});

test('what doesn’t fit into the rest waits for the next one; what fits into none is said at once', () => {
  const late = at('2026-11-25T02:30Z');
  expect(windowGate({ windows: [night] }, late, 0.4 * hour)).toMatchObject({ state: 'pass' });
  expect(windowGate({ windows: [night] }, late, hour)).toEqual({
    state: 'wait',
    reason:
      'the maintenance window closes Wed 2026-11-25 04:00 Europe/Berlin (2026-11-25 03:00 UTC), in 30 min; this step is expected to take 1 h',
    clears: 'the window opens Thu 2026-11-26 22:00 Europe/Berlin (2026-11-26 21:00 UTC)',
  });
  expect(windowGate({ windows: [night] }, late, 7 * hour)).toMatchObject({
    state: 'fail',
    reason: 'this step is expected to take 7 h, and the longest maintenance window has 6 h',
  });
  // A short one is passed over for one that is long enough.
  const short: MaintenanceWindow = { days: ['wed'], from: '12:00', to: '12:30', timezone: 'UTC' };
  expect(iso(mayBegin({ windows: [night, short] }, late, 2 * hour) ?? 0)).toBe('2026-11-26T21:00Z');
  expect(mayBegin({ windows: [night] }, late, 7 * hour)).toBeUndefined();
  expect(mayBegin({ windows: [] }, late, 7 * hour)).toBe(late);
});

test('in every zone it opens when the clocks first show the time or a later one of that day', () =>
  fc.assert(
    fc.property(anyWindow, anyInstant, (window, now) => {
      const { from, timezone, days } = window;
      for (const { opens, closes } of openings([window], now)) {
        expect(closes).toBeGreaterThan(opens);
        expect(closes).toBeGreaterThan(now);
        // Never longer than the clocks say, but for the hour that comes twice.
        const wanted = (timeOfDayMs(window.to) - timeOfDayMs(from) + 24 * hour) % (24 * hour);
        // One that ends an hour or less before it begins again is one with the next, where the clocks skip that hour.
        if (wanted < 23 * hour) expect(closes - opens).toBeLessThanOrEqual(wanted + hour);
        const [day = '', clock = ''] = shown(opens, timezone).split(' ');
        expect(days).toContain(weekdays[new Date(`${day}T00:00Z`).getUTCDay()]);
        // A minute earlier they showed less: nothing is begun before its time.
        if (clock.slice(0, 5) !== from) expect(shown(opens - 60_000, timezone) < `${day} ${from}`).toBe(true);
        expect(clock.slice(0, 5) >= from).toBe(true);
      }
    }),
    { numRuns: 60 },
  ));

test('what is apart by an hour that is missing is one', () => {
  // In Newfoundland the clocks go from 2:00 to 3:00 on Sunday, March 8th 2026.
  const window: MaintenanceWindow = { days: ['sat', 'sun'], from: '02:01', to: '02:00', timezone: 'America/St_Johns' };
  const [first] = openings([window], at('2026-03-07T12:00Z'));
  expect([iso(first?.opens ?? 0), iso(first?.closes ?? 0)]).toEqual(['2026-03-07T05:31Z', '2026-03-09T04:30Z']);
});

test('nothing is begun outside: whenever the gate passes, the clocks show a time of the window', () =>
  fc.assert(
    fc.property(anyWindow, anyInstant, (window, now) => {
      if (windowGate({ windows: [window] }, now, 0).state !== 'pass') return;
      // In an hour that comes twice they show it once before their time.
      const since = at(`${shown(now, window.timezone)}Z`) - at(`${shown(now - 2 * hour, window.timezone)}Z`);
      if (since < 2 * hour) return;
      const [, clock = ''] = shown(now, window.timezone).split(' ');
      const { from, to } = window;
      const time = clock.slice(0, 5);
      expect(from < to ? from <= time && time < to : from <= time || time < to).toBe(true);
    }),
    { numRuns: 300 },
  ));

test('what waits may begin at the moment that it waits for, and not a second before', () =>
  fc.assert(
    fc.property(
      fc.array(anyWindow, { minLength: 1, maxLength: 3 }),
      anyInstant,
      fc.integer({ min: 0, max: 8 * hour }),
      (windows, now, needed) => {
        const begins = mayBegin({ windows }, now, needed);
        if (begins === undefined) return;
        expect(begins).toBeGreaterThanOrEqual(now);
        expect(windowGate({ windows }, begins, needed).state).toBe('pass');
        if (begins > now) expect(windowGate({ windows }, begins - 1000, needed).state).not.toBe('pass');
      },
    ),
    { numRuns: 60 },
  ));

test('the zone of the machine decides nothing', () => {
  const script = `import { openings } from './model/windows.ts';
console.log(JSON.stringify(openings([{ days: ['sat', 'sun'], from: '22:00', to: '04:00', timezone: 'Europe/Berlin' }], Date.parse('2026-03-27T12:00Z'))))`;
  const found = ['UTC', 'America/New_York', 'Asia/Kathmandu'].map((TZ) =>
    execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      env: { ...process.env, TZ },
      encoding: 'utf8',
    }),
  );
  expect(new Set(found).size).toBe(1);
  expect(found[0]).toContain('opens');
});
