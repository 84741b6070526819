import { parseArgs } from 'node:util';
import { bring, machine, whole, type Bench, type Outcome } from '../bench.js';
import { measure, methods, type VerifyRow } from './measure.js';

const help = `npm run bench verify [-- OPTIONS]     a restored server compared with its sealed backup, beside DUMP on both ends

  --release RELEASE  of all servers (default 8.0)
  --keys N           nine of ten small strings, one a hash of eight fields (default 1000000)
  --value-bytes N    bytes of each value (default 32)
  --runs N           each method so often, in turns (default 3)
  --json             JSON on standard output, progress on standard error
  --summary FILE     the same JSON into a file
  --help             this text

rollout opens the backup, decrypts, decompresses and reads it, and asks the restored server for each key, value and expiry.
dump is what people write: SCAN of the source, then pipelines of 500 DUMP and PTTL to both servers. redis-cli asks both
for DUMP of every key from a file of names, side by side, and compares the two outputs. Both need the source, as it was.

Exit code: 0 measured; 1 something went wrong, 2 wrong usage.`;

export const verifyBench: Bench = { help, run };

async function run(args: string[], tell: (line: string) => void): Promise<Outcome> {
  const { values } = parseArgs({
    args,
    options: {
      release: { type: 'string', default: '8.0' },
      keys: { type: 'string', default: '1000000' },
      'value-bytes': { type: 'string', default: '32' },
      runs: { type: 'string', default: '3' },
    },
  });
  const { release } = values;
  const keys = whole('--keys', values.keys);
  const [valueBytes, runs] = [whole('--value-bytes', values['value-bytes']), whole('--runs', values.runs)];
  await bring([release]);
  const rows: VerifyRow[] = [];
  let ended: { failure?: unknown } = {};
  try {
    await measure({ release, keys, valueBytes, runs, tell }, rows);
  } catch (failure) {
    ended = { failure };
  }
  const medians = mediansOf(rows);
  return {
    ...ended,
    clean: true,
    summary: { at: new Date().toISOString(), machine: machine(), release, valueBytes, rows, medians },
    tables: [
      [
        ['METHOD', 'KEYS', 'RUNS', 'TIME: MEDIAN', 'KEYS/S', 'ROLLOUT IS', 'PROCESSOR A KEY', 'PEAK MEMORY'],
        ...medians.map((it) => [
          ...[it.method, it.keys.toLocaleString('en'), String(it.runs), `${it.ms} ms`],
          ...[it.keysPerSecond.toLocaleString('en'), it.ratio === undefined ? '' : `${it.ratio} × as fast`],
          it.processorMicros === undefined ? '' : `${it.processorMicros} µs`,
          it.peakMb === undefined ? '' : `${it.peakMb} MB`,
        ]),
      ],
    ],
  };
}

type Median = VerifyRow & { runs: number; ratio?: number };

/** Of each method, with how many times as fast as it ours is; memory is the most of all runs. */
function mediansOf(rows: readonly VerifyRow[]): Median[] {
  const all = methods.flatMap((method): Median[] => {
    const own = rows.filter((row) => row.method === method).sort((a, b) => a.ms - b.ms);
    const middle = own[Math.floor(own.length / 2)];
    const peaks = own.flatMap(({ peakMb }) => peakMb ?? []);
    const peak = peaks.length === 0 ? {} : { peakMb: Math.max(...peaks) };
    return middle ? [{ ...middle, ...peak, runs: own.length }] : [];
  });
  const ours = all.find(({ method }) => method === 'rollout');
  return all.map((it) => (ours && it !== ours ? { ...it, ratio: Math.round((it.ms / ours.ms) * 100) / 100 } : it));
}
