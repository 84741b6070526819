import { count } from '../../model/report/quantities.js';
import type { Summary } from './simulate.js';

/** Temporal warns from a fifth of what it ends a workflow at: 51,200 events, or 50 MB of history. */
export const MOST_EVENTS = 51_200 / 5;
const MOST_BYTES = (50 * 1024 ** 2) / 5;

/** How much more a node may cost in a larger fleet before growth is called worse than linear: other faults are drawn. */
const TOLERANCE = 0.1;

type Measured = Pick<
  Summary,
  | 'nodes'
  | 'runs'
  | 'completed'
  | 'tries'
  | 'maxHistoryEvents'
  | 'longestHistory'
  | 'maxHistoryBytes'
  | 'largestHistory'
  | 'eventsPerNode'
  | 'historyBytesPerNode'
>;

/** Each bound that a simulation has passed, in a sentence: which, by how much, and whose history. None when all is well. */
export const passedBounds = (rows: readonly Measured[]): string[] => [
  ...rows.flatMap(tooLong),
  ...grownWorseThanLinear(rows.filter(isComparable)),
];

/** Only the last try is measured, and one that goes on after others has less to do a node. */
export const isComparable = ({ runs, completed, tries }: Measured): boolean => completed === runs && tries === runs;

function tooLong({ nodes, maxHistoryEvents, longestHistory, maxHistoryBytes, largestHistory }: Measured): string[] {
  const found: [of: string, is: number, most: number, unit: string][] = [
    [longestHistory, maxHistoryEvents, MOST_EVENTS, 'events'],
    [largestHistory, maxHistoryBytes, MOST_BYTES, 'bytes'],
  ];
  return found
    .filter(([, is, most]) => is > most)
    .map(
      ([of, is, most, unit]) =>
        `at ${count(nodes)} nodes the history of ${of} has ${count(is)} ${unit}: ${count(is - most)} more than ${count(most)}, a fifth of what Temporal ends a workflow at`,
    );
}

/** Each size is compared with the one below it that cost least a node. */
function grownWorseThanLinear(rows: readonly Measured[]): string[] {
  const costs: [unit: string, of: (row: Measured) => number, whose: (row: Measured) => string][] = [
    ['events', (row) => row.eventsPerNode, (row) => row.longestHistory],
    ['bytes of history', (row) => row.historyBytesPerNode, (row) => row.largestHistory],
  ];
  return costs.flatMap(([unit, of, whose]) =>
    rows.flatMap((row) => {
      const [least] = rows.filter(({ nodes }) => nodes < row.nodes).sort((a, b) => of(a) - of(b));
      if (least === undefined || of(row) <= of(least) * (1 + TOLERANCE)) return [];
      const more = Math.round((of(row) / of(least) - 1) * 100);
      return [
        `at ${count(row.nodes)} nodes there are ${count(of(row))} ${unit} a node, ${more} % more than the ${count(of(least))} at ${count(least.nodes)} nodes: worse than linear growth, for which ${TOLERANCE * 100} % are allowed. The longest history is that of ${whose(row)}`,
      ];
    }),
  );
}
