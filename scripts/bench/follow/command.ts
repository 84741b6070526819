import { parseArgs } from 'node:util';
import { bring, machine, several, whole, type Bench, type Outcome } from '../bench.js';
import { measure, type FollowSummary } from './measure.js';
import { WARM_UP_MS } from './under-load.js';
import { workloadNames } from './workloads.js';

const help = `npm run bench follow [-- OPTIONS]     a follower with a standby of an older release, beside a native replica of the same release

  --from RELEASE     the primary and its native replica (default 8.0)
  --to RELEASE       the standby (default 5.0.6)
  --workloads LIST   some of ${workloadNames.join(',')} (default all)
  --commands N       how many pile up before each takes them in; of large a twentieth (default 500000)
  --rates LIST       writes a second at which the lag is measured (default 10000,50000,100000)
  --seconds N        how long each rate is kept (default 10, at least 3)
  --json             JSON on standard output, progress on standard error
  --summary FILE     the same JSON into a file
  --help             this text

What piles up waits in the primary: in its backlog for the follower, in the output buffer of the replica, which stands
still. The lag is from when the primary was at an offset until the other is there: read every 20 ms, of both alike, from
two seconds after the load began.

Exit code: 0 measured; 1 something went wrong, 2 wrong usage.`;

export const followBench: Bench = { help, run };

async function run(args: string[], tell: (line: string) => void): Promise<Outcome> {
  const { values } = parseArgs({
    args,
    options: {
      from: { type: 'string', default: '8.0' },
      to: { type: 'string', default: '5.0.6' },
      workloads: { type: 'string', default: workloadNames.join(',') },
      commands: { type: 'string', default: '500000' },
      rates: { type: 'string', default: '10000,50000,100000' },
      seconds: { type: 'string', default: '10' },
    },
  });
  const input = {
    ...{ from: values.from, to: values.to, tell },
    workloads: several('--workloads', values.workloads, workloadNames),
    commands: whole('--commands', values.commands),
    rates: values.rates.split(',').map((it) => whole('--rates', it)),
    seconds: whole('--seconds', values.seconds),
  };
  if (input.seconds * 1000 <= WARM_UP_MS)
    throw new RangeError(`--seconds: expected 3 or more, found '${values.seconds}': the first two are not measured`);
  await bring([input.from, input.to]);
  const summary: FollowSummary = { catchUp: [], lag: [], followerPeakMb: 0 };
  let ended: { failure?: unknown } = {};
  try {
    await measure(input, summary);
  } catch (failure) {
    ended = { failure };
  }
  return {
    ...ended,
    clean: true,
    summary: { at: new Date().toISOString(), machine: machine(), from: input.from, to: input.to, ...summary },
    tables: tables(summary),
  };
}

const tables = ({ catchUp, lag, followerPeakMb }: FollowSummary): string[][][] => [
  [
    ['TAKES IN', 'WHO', 'COMMANDS', 'MB', 'TIME', 'COMMANDS/S', 'MB/S'],
    ...catchUp.map((it) => [
      ...[it.workload, it.subject, it.commands.toLocaleString('en'), String(it.megabytes), `${it.ms} ms`],
      ...[it.perSecond.toLocaleString('en'), String(it.megabytesPerSecond)],
    ]),
  ],
  [
    ['WRITES/S', 'WHO', 'IN FACT', 'LAG: MEDIAN', '99 %', 'MAX'],
    ...lag.map((it) => [
      ...[it.asked.toLocaleString('en'), it.subject, it.perSecond.toLocaleString('en')],
      ...[it.lagMs.median, it.lagMs.p99, it.lagMs.max].map((ms) => `${ms} ms`),
    ]),
  ],
  [['FOLLOWER’S MEMORY AT MOST'], [`${followerPeakMb} MB`]],
];
