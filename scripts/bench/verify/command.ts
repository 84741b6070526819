import { bring, machine, untilOneFails, type Bench, type Outcome } from '../bench.js';
import { medianRuns, readByKeys } from '../by-keys.js';
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
  const { release, keys, valueBytes, runs } = readByKeys(args);
  await bring([release]);
  const rows: VerifyRow[] = [];
  const ended = await untilOneFails([rows], (into) => measure({ release, keys, valueBytes, runs, tell }, into));
  const medians = withRatio(rows);
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

/** With how many times as fast as it ours is; memory is the most of all runs. */
function withRatio(rows: readonly VerifyRow[]): Median[] {
  const medians = medianRuns(rows, methods);
  const ours = medians.find(({ method }) => method === 'rollout');
  return medians.map((it) => {
    const peaks = rows.flatMap(({ method, peakMb }) => (method === it.method ? (peakMb ?? []) : []));
    return {
      ...it,
      ...(peaks.length === 0 ? {} : { peakMb: Math.max(...peaks) }),
      ...(ours && it !== ours ? { ratio: Math.round((it.ms / ours.ms) * 100) / 100 } : {}),
    };
  });
}
