import { parseArgs } from 'node:util';
import { bring, machine, positive, untilOneFails, whole, type Bench, type Outcome } from '../bench.js';
import { measure, seconds, type UpgradeRow, type Verify } from './measure.js';

const help = `npm run bench upgrade [-- OPTIONS]     a whole upgrade beside the bare restarts and loads of the same nodes with the same data

  --sizes LIST      gigabytes of values on all primaries together (default 0.1,1); 0.1,1,4 needs 12 GB of memory
  --shards LIST     shards, of a primary and a replica each (default 3); 1,12 tells what is done at once
  --parallel N      policy.parallelShards (default 1)
  --verify LIST     policy.verify: all compares every key twice, sample 10,000 of each node (default all,sample)
  --per-shard       the sizes are of each shard
  --from RELEASE    (default 5.0.6)
  --to RELEASE      (default 8.0)
  --json            JSON on standard output, progress on standard error
  --summary FILE    the same JSON into a file
  --help            this text

By hand is SAVE, SHUTDOWN NOSAVE, start, loaded and linked, for one node after the other; nothing is backed up, checked or
compared. The upgrade is the whole workflow: assessment, gates, backup, every node, comparison, ledger, report; without soaks.

Exit code: 0 measured; 3 measured, and a write was lost or a key differed; 1 something else went wrong, 2 wrong usage.`;

export const upgradeBench: Bench = { help, run };

async function run(args: string[], tell: (line: string) => void): Promise<Outcome> {
  const { values } = parseArgs({
    args,
    options: {
      sizes: { type: 'string', default: '0.1,1' },
      shards: { type: 'string', default: '3' },
      parallel: { type: 'string', default: '1' },
      verify: { type: 'string', default: 'all,sample' },
      'per-shard': { type: 'boolean', default: false },
      from: { type: 'string', default: '5.0.6' },
      to: { type: 'string', default: '8.0' },
    },
  });
  const sizes = values.sizes.split(',').map((it) => positive('--sizes', it));
  const counts = values.shards.split(',').map((it) => whole('--shards', it));
  const parallelShards = whole('--parallel', values.parallel);
  const verify = values.verify.split(',').map(verifyOf);
  const { from, to } = values;
  await bring([from, to]);
  const rows: UpgradeRow[] = [];
  const all = sizes.flatMap((size) => counts.map((shards) => ({ size, shards })));
  const ended = await untilOneFails(all, async ({ size, shards }) => {
    const gigabytes = values['per-shard'] ? size * shards : size;
    rows.push(...(await measure({ from, to, gigabytes, shards, parallelShards, verify, tell })));
  });
  return {
    ...ended,
    clean: rows.every(({ lost, different }) => lost === 0 && different === 0),
    summary: { at: new Date().toISOString(), machine: machine(), rows },
    tables: [overview(rows), ...rows.map(steps)],
  };
}

function verifyOf(text: string): Verify {
  if (text === 'all' || text === 'sample') return text;
  throw new RangeError(`--verify: expected all, sample or both, found ${text}`);
}

const overview = (rows: readonly UpgradeRow[]): string[][] => [
  [
    'SIZE',
    'SHARDS',
    'AT ONCE',
    'VERIFY',
    'KEYS',
    'UPGRADE',
    'CORES BUSY',
    'BY HAND',
    'RATIO',
    'FULL RESYNCS',
    'LOST',
    'WORKER PEAK',
  ],
  ...rows.map((it) => [
    `${it.gigabytes} GB`,
    `${it.shards} (${it.nodes} nodes)`,
    String(it.parallelShards),
    it.verify,
    it.keys.toLocaleString('en'),
    seconds(it.upgradeMs),
    `${it.coresBusy} %`,
    seconds(it.bareMs.total),
    `${it.ratio} ×`,
    `${it.fullResyncs} of ${it.fullResyncs + it.partialResyncs}`,
    String(it.lost),
    `${it.workerPeakRssMb} MB`,
  ]),
];

const steps = ({ gigabytes, shards, verify, steps: kinds, bareMs }: UpgradeRow): string[][] => [
  [`${gigabytes} GB, ${shards} SHARDS, VERIFY: ${verify}`, 'TIMES', 'TOGETHER', 'LONGEST'],
  ...kinds.map((it) => [it.what, String(it.times), seconds(it.totalMs), seconds(it.longestMs)]),
  ['by hand: save', '', seconds(bareMs.save), ''],
  ['by hand: stop', '', seconds(bareMs.stop), ''],
  ['by hand: start, load, link', '', seconds(bareMs.load), ''],
];
