// Production that goes ahead although its rehearsal failed, or on the strength of another release's.
import { expect, test } from 'vitest';
import { againstIt, signOffOf, type StagingRecord } from '../../../model/staging.js';

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
const DAY_MS = 86_400_000;
const now = Date.parse('2026-12-01T00:00:00.000Z');
const upgrade = { deployment: 'orders', from: '5.0.6', to: '8.0.6', validForMs: 30 * DAY_MS, now };
const go = { go: 'rehearsal x, of 2026-11-30T00:00:00.000Z: go' };

test('the newest rehearsal of the same releases decides', () => {
  expect(signOffOf([record({})], upgrade)).toEqual(go);
  expect(signOffOf([record({ decision: 'no-go', why: 'targets: missed' }), record({})], upgrade)).toEqual({
    lacks:
      'policy.staging is required, and the newest rehearsal of 5.0.6 → 8.0.6, of 2026-11-30T00:00:00.000Z, ended in no-go: targets: missed. Once that is mended: rollout staging start orders --to 8.0.6',
  });
  expect(signOffOf([record({}), record({ decision: 'no-go' })], upgrade)).toEqual(go);
});

test.each([
  ['none at all', []],
  ['of another target', [record({ to: '7.0.15' })]],
  ['of another patch', [record({ to: '8.0.2' })]],
  ['from another release', [record({ from: '6.2.14' })]],
])('%s is not enough', (_, records) =>
  expect(signOffOf(records, upgrade)).toEqual({
    lacks: expect.stringContaining('no rehearsal of 5.0.6 → 8.0.6 is on record') as string,
  }),
);

test('who signed it off is told; a go grows old', () => {
  const answers = [{ by: 'pia', role: 'product', decision: 'approved', at: '2026-11-30T01:00:00.000Z' }];
  const signed = record({ approvals: [{ approval: 'product', state: 'approved', answers }] });
  expect(signOffOf([signed], upgrade)).toEqual({ go: `${go.go}; product by pia (product)` });
  const sample = record({ slots: ['0-99', '200'] });
  expect(signOffOf([sample], upgrade)).toEqual({ go: `${go.go}, of slots 0-99, 200 only` });
  const ended = Date.parse(signed.endedAt);
  expect(signOffOf([signed], { ...upgrade, now: ended + 30 * DAY_MS })).toHaveProperty('go');
  expect(signOffOf([signed], { ...upgrade, now: ended + 30 * DAY_MS + 1 })).toEqual({
    lacks:
      'policy.staging is required, and the newest rehearsal of 5.0.6 → 8.0.6, of 2026-11-30T00:00:00.000Z, counts for 30 d (staging.validFor) from 2026-11-30T01:00:00.000Z on: rollout staging start orders --to 8.0.6',
  });
});

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
