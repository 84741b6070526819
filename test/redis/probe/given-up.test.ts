// What a restore has given up is no loss, and what was lost beside it still is one.
import { expect, test } from 'vitest';
import type { LedgerResult } from '../../../model/evidence.js';
import { addGeneration, withoutGivenUp, type Lost } from '../../../redis/probe/check-generation.js';

const [from, until] = ['2026-11-29T10:00:00.000Z', '2026-11-29T12:00:00.000Z'];
const lost = (type: Lost['type'], at: string): Lost => ({
  ...{ key: `k:${at}`, type, expected: 'x', found: 'no such key', at: Date.parse(at) },
});
const result = (...all: Lost[]) => ({ acknowledged: { string: 10, counter: 10 }, lost: all, lostCount: all.length });

test('only what was acknowledged between the backup and the end of writes is given up', () => {
  const before = lost('string', '2026-11-29T09:59:59.999Z');
  const within = lost('string', '2026-11-29T11:00:00.000Z');
  const after = lost('string', '2026-11-29T12:00:00.001Z');
  expect(withoutGivenUp(result(before, within, after), { from, until })).toMatchObject({
    ...{ lost: [before, after], lostCount: 2, givenUp: 1 },
  });
});

test('a counter that went on from the backup’s value has given up its increments, one that ended before has lost them', () => {
  const counter = { ...result(lost('counter', '2026-11-29T13:00:00.000Z')), lostCount: 7 };
  expect(withoutGivenUp(counter, { from, until })).toMatchObject({ lost: [], lostCount: 0, givenUp: 7 });
  const early = { ...result(lost('counter', '2026-11-29T09:00:00.000Z')), lostCount: 7 };
  expect(withoutGivenUp(early, { from, until })).toMatchObject({ lostCount: 7, givenUp: 0 });
});

test('the sum has them by themselves', () => {
  const sum: LedgerResult = { acknowledged: 0, found: 0, lost: 0, examples: [], byType: {} };
  const within = lost('string', '2026-11-29T11:00:00.000Z');
  addGeneration(sum, withoutGivenUp(result(within), { from, until }));
  expect(sum).toMatchObject({ acknowledged: 20, found: 19, lost: 0, givenUp: 1, examples: [] });
});
