// A standby that differs, or is not compared at all, must say so wherever somebody looks.
import { expect, test } from 'vitest';
import { standbyText } from '../../../model/describe-status.js';
import { howFar, type FollowState, type StandbyComparison } from '../../../model/follow-state.js';
import type { StandbyStatus } from '../../../model/operation.js';
import { fallbackSection } from '../../../model/report/fallback-section.js';
import { hostile } from '../report/hostile.js';
import { sampleReport } from '../report/sample.js';

const comparison: StandbyComparison = {
  ...{ keys: 40, expectedKeys: 1000, passes: 0, different: 0, found: 0, repaired: 0 },
  examples: [],
  notCompared: [],
};
const lastPass = { at: Date.UTC(2026, 10, 21, 11, 35), keys: 1000, ms: 2000 };
const status = (change: Partial<StandbyComparison>, live = true): StandbyStatus => ({
  ...{ shard: 'shard-1', address: '10.0.0.7:6390', release: '5.0.6', state: 'frozen', live },
  ...howFar({ lagBytes: 1200, lagMs: 4, comparison: { ...comparison, ...change } }),
});

test.each<[string, Partial<StandbyComparison>, string]>([
  ['in its first pass', {}, '40 of 1000 keys compared'],
  ['more keys than there were', { keys: 1200 }, '1200 of 1200 keys compared'],
  ['once whole', { passes: 1, lastPass }, 'every key compared once, last at 2026-11-21 11:35:00 UTC'],
  [
    'put right',
    { passes: 3, lastPass, found: 2, repaired: 2 },
    'every key compared 3 times, last at 2026-11-21 11:35:00 UTC; 2 differed, and were put right',
  ],
  ['that differs', { found: 2, different: 1 }, '40 of 1000 keys compared; 2 differed, 1 of them still'],
  ['not compared', { waitsFor: 'NOPERM' }, '40 of 1000 keys compared; not compared now: NOPERM'],
])('a standby %s', (_, change, text) => {
  expect(standbyText(status(change))).toBe(`10.0.0.7:6390 on 5.0.6 follows, 1.2 kB and 4 ms behind now; ${text}`);
});

test('what was seen a while ago is not said to be so now, and one that serves is not behind', () => {
  expect(standbyText(status({}, false))).toContain('4 ms behind at the last look; ');
  expect(standbyText({ ...status({}), state: 'serving' })).toBe('10.0.0.7:6390 on 5.0.6 serves');
});

test('the report names what differed, whether it was put right, and what was not compared', () => {
  const follower: FollowState = {
    ...{ shard: 'shard-1', at: 0, phase: 'following', primary: 'p', standby: '10.0.0.7:6390', lagBytes: 0, lagMs: 0 },
    ...{ lagMsMax: 9, commands: 5, rewritten: 0, recopied: 2, dirty: 0, notRepresentable: [] },
    comparison: {
      ...{ ...comparison, passes: 2, lastPass, different: 1, found: 2, repaired: 1 },
      examples: [
        { key: 'cart:1', what: 'hash: field a differs', repaired: true },
        { key: hostile, what: 'missing on the standby (a string on the primary)', repaired: false },
      ],
      notCompared: [{ what: 'values of type vectorset', count: 3, examples: ['vectors'] }],
    },
  };
  const page = fallbackSection({ ...sampleReport({ outcome: 'completed' }), followers: [follower] }).text;
  expect(page).toContain('cart:1: hash: field a differs (put right)');
  expect(page).toContain(': missing on the standby (a string on the primary)<');
  expect(page).toContain('values of type vectorset: 3 (vectors)');
  expect(page).toContain('1,000 keys in 2.0 s');
  expect(page).not.toContain('<img');
  expect(fallbackSection({ ...sampleReport({ outcome: 'completed' }), followers: [] }).text).toContain(
    'No standby was compared.',
  );
});
