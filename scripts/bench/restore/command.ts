import { bring, machine, untilOneFails, type Bench, type Outcome } from '../bench.js';
import { medianRuns, readByKeys } from '../by-keys.js';
import { measure, type Row } from './measure.js';

const help = `npm run bench restore [-- OPTIONS]     a backup's snapshots into a cluster of 3 shards, beside redis-cli --pipe and the servers' own loading

  --release RELEASE  of all servers (default 8.0)
  --keys N           small strings, in 3 snapshots (default 1000000)
  --value-bytes N    bytes of each (default 32)
  --runs N           each method so often, in turns (default 3)
  --json             JSON on standard output, progress on standard error
  --summary FILE     the same JSON into a file
  --help             this text

restore is one process that reads 3 snapshots from files, as from an opened object, and routes each key; pipe are 3 processes of
redis-cli, each fed with the commands of its own shard, which were made beforehand; native are 3 servers that load their
own dump.rdb as they start: nobody else can be as fast.

Exit code: 0 measured; 1 something went wrong, 2 wrong usage.`;

export const restoreBench: Bench = { help, run };

async function run(args: string[], tell: (line: string) => void): Promise<Outcome> {
  const { release, keys, valueBytes, runs } = readByKeys(args);
  await bring([release]);
  const rows: Row[] = [];
  const ended = await untilOneFails([rows], (into) => measure({ release, keys, valueBytes, runs, tell }, into));
  const medians = medianRuns(rows, ['restore', 'pipe', 'native']);
  return {
    ...ended,
    clean: true,
    summary: { at: new Date().toISOString(), machine: machine(), release, valueBytes, rows, medians },
    tables: [
      [
        ['METHOD', 'KEYS', 'RUNS', 'TIME: MEDIAN', 'KEYS/S', 'PROCESSOR A KEY'],
        ...medians.map((it) => [
          ...[it.method, it.keys.toLocaleString('en'), String(it.runs), `${it.ms} ms`],
          ...[
            it.keysPerSecond.toLocaleString('en'),
            it.processorMicros === undefined ? '' : `${it.processorMicros} µs`,
          ],
        ]),
      ],
    ],
  };
}
