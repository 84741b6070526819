import { parseArgs } from 'node:util';
import { whole } from './bench.js';

export interface ByKeys {
  release: string;
  keys: number;
  /** Of each. */
  valueBytes: number;
  /** Of each method, in turns. */
  runs: number;
}

/** The options of a benchmark whose figures are keys a second. @throws RangeError and parseArgs' own errors for wrong usage */
export function readByKeys(args: string[]): ByKeys {
  const { values } = parseArgs({
    args,
    options: {
      release: { type: 'string', default: '8.0' },
      keys: { type: 'string', default: '1000000' },
      'value-bytes': { type: 'string', default: '32' },
      runs: { type: 'string', default: '3' },
    },
  });
  return {
    release: values.release,
    keys: whole('--keys', values.keys),
    valueBytes: whole('--value-bytes', values['value-bytes']),
    runs: whole('--runs', values.runs),
  };
}

/** Of each method that was run, the row in the middle by time, and how many there are. */
export const medianRuns = <Row extends { method: string; ms: number }>(
  rows: readonly Row[],
  methods: readonly Row['method'][],
): (Row & { runs: number })[] =>
  methods.flatMap((method) => {
    const own = rows.filter((row) => row.method === method).sort((a, b) => a.ms - b.ms);
    const middle = own[Math.floor(own.length / 2)];
    return middle ? [{ ...middle, runs: own.length }] : [];
  });
