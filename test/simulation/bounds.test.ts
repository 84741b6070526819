// A fleet that grows: the first sign that its histories come near Temporal's limits must not pass as a success.
import { expect, test } from 'vitest';
import { isComparable, passedBounds } from '../../scripts/simulation/bounds.js';

const at = (nodes: number, news: Partial<Parameters<typeof isComparable>[0]> = {}) => ({
  ...{ nodes, runs: 1, completed: 1, tries: 1 },
  ...{ maxHistoryEvents: 5000, longestHistory: 'roll', maxHistoryBytes: 2_500_000, largestHistory: 'root' },
  ...{ eventsPerNode: 100, historyBytesPerNode: 20_000 },
  ...news,
});

test('up to a fifth of what Temporal ends a workflow at, no bound is passed', () => {
  expect(passedBounds([at(1000, { maxHistoryEvents: 10_240, maxHistoryBytes: 10_485_760 })])).toEqual([]);
});

test('one event or byte more is told with its workflow and by how much, of whichever size', () => {
  expect(passedBounds([at(12), at(60, { maxHistoryEvents: 10_241 }), at(300)])).toEqual([
    'at 60 nodes the history of roll has 10,241 events: 1 more than 10,240, a fifth of what Temporal ends a workflow at',
  ]);
  expect(passedBounds([at(6, { maxHistoryBytes: 10_485_860 })])).toEqual([
    'at 6 nodes the history of root has 10,485,860 bytes: 100 more than 10,485,760, a fifth of what Temporal ends a workflow at',
  ]);
});

test('growth that is linear, or less: each node costs as much, or a tenth more by other draws', () => {
  const rows = [at(12), at(60, { eventsPerNode: 90, historyBytesPerNode: 19_000 })];
  expect(passedBounds([...rows, at(300, { eventsPerNode: 99, historyBytesPerNode: 20_900 })])).toEqual([]);
});

test('growth that is worse: compared with the size below that cost least a node', () => {
  const rows = [at(12), at(60, { eventsPerNode: 90 }), at(300, { eventsPerNode: 100 })];
  expect(passedBounds(rows)).toEqual([
    'at 300 nodes there are 100 events a node, 11 % more than the 90 at 60 nodes: worse than linear growth, for which 10 % are allowed. The longest history is that of roll',
  ]);
  expect(passedBounds([at(1000, { historyBytesPerNode: 30_000 }), at(12)])).toEqual([
    'at 1,000 nodes there are 30,000 bytes of history a node, 50 % more than the 20,000 at 12 nodes: worse than linear growth, for which 10 % are allowed. The longest history is that of root',
  ]);
});

test('a size of which only the rest was measured says nothing of growth, but its histories are judged', () => {
  const again = at(60, { tries: 2, eventsPerNode: 20, maxHistoryEvents: 10_241 });
  const never = at(12, { completed: 0, eventsPerNode: 5 });
  expect([again, never, at(300)].map(isComparable)).toEqual([false, false, true]);
  expect(passedBounds([never, again, at(300)])).toEqual([expect.stringContaining('the history of roll has 10,241')]);
});
