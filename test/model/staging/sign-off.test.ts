// Production that goes ahead although its rehearsal failed, or on the strength of another release's.
import { expect, test } from 'vitest';
import { againstIt, lacksSignOff, type StagingRecord } from '../../../model/staging.js';

const record = (about: Partial<StagingRecord>): StagingRecord => ({
  ...{ format: 1, staging: 'x', deployment: 'orders', startedBy: 'ana', backup: 'b', shards: 3, keys: 1 },
  ...{
    startedAt: '2026-11-30T00:00:00.000Z',
    endedAt: '2026-11-30T01:00:00.000Z',
    takenAt: '2026-11-29T00:00:00.000Z',
  },
  ...{ from: '5.0.6', to: '8.0.6', via: [], steps: [], benchmarks: [], approvals: [], reports: [] },
  ...{ decision: 'go', why: 'every step passed' },
  ...about,
});
const upgrade = { deployment: 'orders', from: '5.0.6', to: '8.0.6' };

test('the newest rehearsal of the same releases decides', () => {
  expect(lacksSignOff([record({})], upgrade)).toBeUndefined();
  expect(lacksSignOff([record({ decision: 'no-go', why: 'targets: missed' }), record({})], upgrade)).toBe(
    'policy.staging is required, and the newest rehearsal of 5.0.6 → 8.0.6, of 2026-11-30T00:00:00.000Z, ended in no-go: targets: missed. Once that is mended: rollout staging start orders --to 8.0.6',
  );
  expect(lacksSignOff([record({}), record({ decision: 'no-go' })], upgrade)).toBeUndefined();
});

test.each([
  ['none at all', []],
  ['of another target', [record({ to: '7.0.15' })]],
  ['of another patch', [record({ to: '8.0.2' })]],
  ['from another release', [record({ from: '6.2.14' })]],
])('%s is not enough', (_, records) =>
  expect(lacksSignOff(records, upgrade)).toContain('no rehearsal of 5.0.6 → 8.0.6 is on record'),
);

test('a step that failed speaks against it, and so does it when nothing was tried; undecided ones are people’s to weigh', () => {
  const step = { name: 'copy', tookMs: 1, found: 'x' };
  expect(
    againstIt([
      { ...step, result: 'passed' },
      { ...step, name: 'targets', result: 'undecided' },
    ]),
  ).toBeUndefined();
  expect(
    againstIt([
      { ...step, result: 'passed' },
      { ...step, name: 'targets', result: 'failed' },
    ]),
  ).toBe('targets: x');
  expect(againstIt([])).toBe('nothing was tried');
});
