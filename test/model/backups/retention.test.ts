// The backup that was needed is the one that was pruned.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backupTiers } from '../../../model/backup-tiers.js';
import { proofDue, retention, type KnownBackup, type RetentionPolicy } from '../../../model/retention.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-11-30T03:00:00Z');
const policy: RetentionPolicy = { hourly: 3, daily: 7, weekly: 4, monthly: 12, atLeast: 30 * DAY };
const taken = (ago: number, more: Partial<KnownBackup> = {}): KnownBackup => ({
  ...{ backup: `at ${new Date(NOW - ago).toISOString()}`, startedAt: NOW - ago, state: 'good' },
  ...more,
});
const staying = (backups: KnownBackup[], begins: readonly string[] = [], by = policy): string[] =>
  retention(backups, by, { now: NOW, begins: new Set(begins) })
    .filter(({ stays }) => stays)
    .map(({ backup }) => backup);

describe('two years of a schedule', () => {
  /** At 02:00 the daily one, on Sundays the weekly, on the first the monthly; an hourly one at every other hour. */
  const two = Array.from({ length: 730 * 24 }, (_, i): KnownBackup => {
    const ago = i * HOUR + HOUR;
    const at = new Date(NOW - ago);
    if (at.getUTCHours() !== 2) return taken(ago, { tier: 'hourly' });
    return taken(ago, { tier: at.getUTCDate() === 1 ? 'monthly' : at.getUTCDay() === 0 ? 'weekly' : 'daily' });
  });
  const at = (name: string): Date => new Date(name.slice(3));

  test('3 hourly ones, whatever else is younger than 30 days, and 12 monthly ones stay', () => {
    const stay = staying(two);
    const months = stay.map(at).filter((it) => it.getUTCDate() === 1);
    expect(months).toHaveLength(12);
    expect(months.at(-1)?.toISOString()).toBe('2025-12-01T02:00:00.000Z');
    expect(stay.map(at).filter((it) => it.getUTCHours() !== 2)).toHaveLength(2);
    expect(stay.slice(0, 3).map((name) => at(name).toISOString())).toEqual([
      '2026-11-30T02:00:00.000Z',
      '2026-11-30T01:00:00.000Z',
      '2026-11-30T00:00:00.000Z',
    ]);
    const full = stay.map(at).filter((it) => it.getUTCHours() === 2 && it.getTime() > NOW - 30 * DAY);
    expect(full).toHaveLength(30);
  });

  test('without the least time, 7 days and 4 weeks, of which the first may be the same', () => {
    const stay = staying(two, [], { ...policy, atLeast: HOUR, hourly: 0, monthly: 0 }).map(at);
    expect(stay.map((it) => it.toISOString().slice(0, 10))).toEqual([
      ...['2026-11-30', '2026-11-29', '2026-11-28', '2026-11-27', '2026-11-26', '2026-11-25', '2026-11-24'],
      ...['2026-11-22', '2026-11-15', '2026-11-08'],
    ]);
  });

  test('what the archived commands begin with stays', () => {
    const from = NOW - 200 * DAY;
    const needed = two.find(({ startedAt }) => startedAt <= from)?.backup ?? '';
    expect(staying(two)).not.toContain(needed);
    expect(staying(two, [needed])).toContain(needed);
  });

  test('each verdict has its reason', () => {
    const reasons = new Map(
      retention(two, policy, { now: NOW }).map(({ backup, reason }) => [backup.slice(3, 16), reason]),
    );
    expect(reasons.get('2026-11-30T02')).toBe('it is the newest good one');
    expect(reasons.get('2026-11-30T01')).toBe('2 of the 3 hours that are kept');
    expect(reasons.get('2026-11-29T23')).toBe('there are 3 newer hours');
    expect(reasons.get('2026-11-05T02')).toBe('it is younger than 30 d');
    expect(reasons.get('2025-12-01T02')).toBe('12 of the 12 months that are kept');
    expect(reasons.get('2025-11-01T02')).toBe('there are 12 newer months, and it is older than 30 d');
  });
});

test('one that was triggered again and again pushes no earlier month out', () => {
  const again = Array.from({ length: 20 }, (_, i) =>
    taken(40 * DAY + (i + 1) * 60_000, { tier: 'monthly', backup: `x${i}` }),
  );
  const before = taken(75 * DAY, { tier: 'monthly' });
  const stay = staying([taken(0, { tier: 'daily' }), ...again, before]);
  expect(stay).toContain(before.backup);
  expect(stay.filter((name) => name.startsWith('x'))).toEqual(['x0']);
});

test('of those that upgrades took the newest stay; one of some shards stands in for no other', () => {
  const upgrades = [40, 50, 60].map((days) => taken(days * DAY, { ofUpgrade: true, partial: true }));
  const whole = [taken(70 * DAY), taken(80 * DAY)];
  const verdicts = retention([...upgrades, ...whole], policy, { now: NOW, ofUpgrades: 2 });
  expect(verdicts.map(({ stays, reason }) => [stays, reason])).toEqual([
    [true, 'an upgrade took it: of these the newest 2 stay (backup.keep)'],
    [true, 'an upgrade took it: of these the newest 2 stay (backup.keep)'],
    [false, 'an upgrade took it more than 30 d ago, and later ones took newer ones'],
    [true, 'it is the newest good one'],
    [false, 'somebody asked for it more than 30 d ago'],
  ]);
});

test('while all are damaged, none goes; a damaged one neither counts nor pushes out', () => {
  const damaged = [1, 50, 100].map((days) => taken(days * DAY, { tier: 'daily', state: 'damaged' }));
  expect(staying(damaged)).toHaveLength(3);
  const good = taken(400 * DAY);
  expect(staying([...damaged, good])).toEqual([damaged[0]?.backup, good.backup]);
});

const backups = fc.uniqueArray(
  fc.record({
    backup: fc.string({ minLength: 1, maxLength: 4 }),
    startedAt: fc.integer({ min: NOW - 800 * DAY, max: NOW + 10 * DAY }),
    tier: fc.option(fc.constantFrom(...backupTiers), { nil: undefined }),
    state: fc.constantFrom('proven' as const, 'good' as const, 'damaged' as const),
  }),
  { selector: ({ backup }) => backup, maxLength: 60 },
);
const policies = fc.record({
  ...{ hourly: fc.nat(5), daily: fc.nat(9), weekly: fc.nat(6), monthly: fc.nat(15) },
  atLeast: fc.integer({ min: 1, max: 60 * DAY }),
});

test('whatever there is: never the last good or proven one, nothing too young, none that the archive begins with', () => {
  fc.assert(
    fc.property(backups, policies, fc.nat(60), (all, by, n) => {
      const begin = all[n % Math.max(1, all.length)];
      const begins = begin ? [begin.backup] : [];
      const stay = new Set(staying(all, begins, by));
      const byAge = [...all].sort((a, b) => b.startedAt - a.startedAt || b.backup.localeCompare(a.backup, 'en'));
      const past = byAge.filter(({ startedAt }) => startedAt <= NOW);
      const good = past.filter(({ state }) => state !== 'damaged');
      if (good.length === 0) expect(stay.size).toBe(all.length);
      for (const it of [good[0], good.find(({ state }) => state === 'proven'), begin])
        if (it) expect(stay).toContain(it.backup);
      for (const it of all) {
        if (it.startedAt > NOW) expect(stay).toContain(it.backup);
        if (it.tier !== 'hourly' && it.startedAt + by.atLeast > NOW) expect(stay).toContain(it.backup);
      }
      for (const [tier, count] of [['monthly', by.monthly]] as const)
        expect(good.filter((it) => it.tier === tier && stay.has(it.backup)).length).toBeGreaterThanOrEqual(
          Math.min(count, new Set(good.filter((it) => it.tier === tier).map((it) => month(it.startedAt))).size),
        );
      // What has gone is not missed: pruning once more removes nothing.
      const left = all.filter(({ backup }) => stay.has(backup));
      expect(staying(left, begins, by)).toEqual(left.map(({ backup }) => backup));
    }),
    { numRuns: 2000 },
  );
});
const month = (at: number): string => new Date(at).toISOString().slice(0, 7);

describe('which are proven', () => {
  const due = (states: KnownBackup['state'][], every: number): boolean => {
    const all = states.map((state, i) => taken(i * DAY, { tier: 'daily', state }));
    return proofDue(all[0]?.backup ?? '', 'daily', { backups: all, every });
  };
  test('none, each, and every third', () => {
    expect(due(['good', 'good', 'good'], 0)).toBe(false);
    expect(due(['good', 'proven'], 1)).toBe(true);
    expect(due(['good', 'proven'], 3)).toBe(false);
    expect(due(['good', 'good', 'proven'], 3)).toBe(false);
    expect(due(['good', 'good', 'good', 'proven'], 3)).toBe(true);
  });
  test('the first of its tier, others or none being proven', () => {
    expect(due(['good'], 7)).toBe(true);
    expect(due(['good', 'good'], 7)).toBe(true);
    const weekly = taken(DAY, { tier: 'weekly', state: 'proven' });
    expect(proofDue('new', 'daily', { backups: [taken(0, { tier: 'daily', backup: 'new' }), weekly], every: 7 })).toBe(
      true,
    );
  });
});
