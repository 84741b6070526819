// What a failure says: whoever reads it in the morning must see what was lost, and bring it about again.
import { expect, test } from 'vitest';
import { drawScenario } from '../../scripts/chaos/draw.js';
import { summarize, tellOutcome, type Outcome } from '../../scripts/chaos/outcome.js';
import { isFailure, type RunResult } from '../../scripts/chaos/run.js';

const SEED = 7;
const drawn = (run: number) => drawScenario(SEED, run, { small: true });
const again = (run: number): string => `npm run chaos -- --seed ${SEED} --only ${run} --small`;

const ended = (run: number, found: Partial<RunResult> = {}): RunResult => ({
  ...{ scenario: drawn(run), result: 'completed', ms: 61_000, starts: 1, statements: [], acknowledged: 1234 },
  ...{ lost: [], violations: [], problems: [], faults: { told: [], left: [] } },
  ...found,
});
const outcome = (result: RunResult): Outcome => ({
  ...{ scenario: result.scenario, folder: `kept/${result.scenario.run}`, result },
});

const STATEMENT = 'chaos was stopped: a disk is full.\n2 of 6 nodes run 8.0.6.';
const violation = {
  ...{ invariant: 'slot owner stopped', at: '2026-01-02T03:04:05.000Z', node: '127.0.0.1:7001' },
  what: 'ended while it owned 5461 slots',
};
const well = ended(1);
const stoppedTruthfully = ended(2, { starts: 2, statements: [STATEMENT] });
const lostWrites = ended(3, {
  lost: [
    { writes: 12, what: "12 by the upgrade's own ledger: []" },
    { writes: 1, what: 'chaos:raw:list:{a}:1 (list): write 3 of 7' },
  ],
});
const brokeInvariant = ended(4, { violations: [violation] });
const neverCompleted = ended(5, { result: 'stopped', starts: 6, statements: ['an earlier one', STATEMENT] });
const stoodStill = ended(6, { problems: ['stood still for 150 s: {}'] });
const broke: Outcome = { scenario: drawn(8), folder: 'kept/8', broke: 'Error: no server of 8.0 here' };

test.each([
  ['all is well', well, false],
  ['it stopped with a true statement, and completed once started again', stoppedTruthfully, false],
  ['writes were lost', lostWrites, true],
  ['an invariant was broken', brokeInvariant, true],
  ['it stopped however often it was started', neverCompleted, true],
  ['it stood still', stoodStill, true],
])('is it a failure: %s', (_, result, failure) => {
  expect(isFailure(result)).toBe(failure);
  expect(summarize([outcome(result)]).failures).toHaveLength(failure ? 1 : 0);
});

test('the summary counts runs, writes and violations, and has of each failure what it was and what does it again', () => {
  const results = [well, stoppedTruthfully, lostWrites, brokeInvariant, neverCompleted, stoodStill];
  const failed = (run: number, ...what: string[]) => ({
    ...{ reproduce: again(run), scenario: drawn(run), what, folder: `kept/${run}` },
  });
  expect(summarize([...results.map(outcome), broke])).toEqual({
    ...{ runs: 7, completed: 5, stopped: 1, lost: 13, invariantViolations: 1 },
    failures: [
      failed(3, "lost: 12 by the upgrade's own ledger: []", 'lost: chaos:raw:list:{a}:1 (list): write 3 of 7'),
      failed(4, 'slot owner stopped: 127.0.0.1:7001 ended while it owned 5461 slots (2026-01-02T03:04:05.000Z)'),
      failed(5, `not completed after 6 starts: ${STATEMENT}`),
      failed(6, 'stood still for 150 s: {}'),
      { reproduce: again(8), scenario: drawn(8), what: ['Error: no server of 8.0 here'] },
    ],
  });
});

test('a drawn scenario without --small is done again without it', () => {
  const scenario = drawScenario(SEED, 3);
  expect(tellOutcome({ scenario, folder: 'kept', broke: 'it did' }).at(-1)).toBe(
    `    again: npm run chaos -- --seed ${SEED} --only 3`,
  );
});

test.each([
  ['lost writes', lostWrites, ['1,234 writes, 13 lost, 0 violations', "! lost: 12 by the upgrade's own ledger"]],
  ['a broken invariant', brokeInvariant, ['0 lost, 1 violations', '! slot owner stopped: 127.0.0.1:7001 ended']],
  ['an upgrade that never completed', neverCompleted, ['stopped in', ', 6 starts;', `after 6 starts: ${STATEMENT}`]],
])('what is printed of %s: what it was, what does it again, and where its evidence lies', (_, result, says) => {
  const told = tellOutcome(outcome(result)).join('\n');
  for (const it of says) expect(told).toContain(it);
  expect(told).toContain(`\n    again: ${again(result.scenario.run)}\n`);
  expect(told).toContain(`\n    kept:  kept/${result.scenario.run}`);
});

test('what is printed of a run that broke: why, and what does it again', () => {
  expect(tellOutcome(broke).slice(1)).toEqual(['    broke: Error: no server of 8.0 here', `    again: ${again(8)}`]);
});

test('what is printed of a run that is well: nothing to do, and which faults never came', () => {
  const left = ['pause of 500 ms when save #9 begins'];
  const told = tellOutcome(outcome({ ...stoppedTruthfully, faults: { told: [], left } })).join('\n');
  expect(told).toContain('completed in');
  expect(told).toContain(', 2 starts; 1,234 writes, 0 lost, 0 violations');
  expect(told).toContain('\n    never came to pass: pause of 500 ms when save #9 begins');
  expect(told).not.toMatch(/again:|kept:|!/);
});
