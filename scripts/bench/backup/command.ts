import { parseArgs } from 'node:util';
import { formatSize } from '../../../model/duration.js';
import { bring, machine, positive, untilOneFails, whole, type Bench, type Outcome } from '../bench.js';
import { measure, type BackupRow } from './measure.js';

const help = `npm run bench backup [-- OPTIONS]     a shard's encrypted backup into a bucket, beside the pipe that people write for it

  --sizes LIST       gigabytes of values (default 0.1,1,4); 4 needs 12 GB of memory and 5 GB of disk
  --release RELEASE  (default 8.0)
  --runs N           of each, in turns (default 3)
  --json             JSON on standard output, progress on standard error
  --summary FILE     the same JSON into a file
  --help             this text

The pipe is redis-cli --rdb - | gzip -1 | openssl enc -aes-256-ctr | upload, where upload is the same multipart upload as ours, in a
process of its own. Ours compresses alike, authenticates what it encrypts, and checks the snapshot's length and checksum on its
way. Both read from the same replica, and put into an S3 server of this machine. MB/s are of the snapshot.

Exit code: 0 measured; 1 something went wrong, 2 wrong usage.`;

export const backupBench: Bench = { help, run };

async function run(args: string[], tell: (line: string) => void): Promise<Outcome> {
  const { values } = parseArgs({
    args,
    options: {
      sizes: { type: 'string', default: '0.1,1,4' },
      release: { type: 'string', default: '8.0' },
      runs: { type: 'string', default: '3' },
    },
  });
  const sizes = values.sizes.split(',').map((it) => positive('--sizes', it));
  const runs = whole('--runs', values.runs);
  await bring([values.release], ['versitygw']);
  const rows: BackupRow[] = [];
  const ended = await untilOneFails(sizes, async (gigabytes) => {
    rows.push(...(await measure({ release: values.release, gigabytes, runs }, tell)));
  });
  return {
    ...ended,
    clean: true,
    summary: { at: new Date().toISOString(), machine: machine(), release: values.release, rows },
    tables: [table(rows)],
  };
}

/** Of several runs the median. */
function table(rows: readonly BackupRow[]): string[][] {
  const kinds = [...new Set(rows.map(({ gigabytes, who }) => `${gigabytes} ${who}`))];
  return [
    ['VALUES', 'WHO', 'SNAPSHOT', 'STORED', 'TIME', 'MB/S', 'PEAK MEMORY'],
    ...kinds.flatMap((kind) => {
      const all = rows.filter(({ gigabytes, who }) => `${gigabytes} ${who}` === kind);
      const middle = [...all].sort((a, b) => a.ms - b.ms)[Math.floor(all.length / 2)];
      if (!middle) return [];
      const peaks = all.flatMap(({ peakMb }) => peakMb ?? []);
      return [
        [
          ...[`${middle.gigabytes} GB`, middle.who, formatSize(middle.rdbBytes), formatSize(middle.storedBytes)],
          ...[`${(middle.ms / 1000).toFixed(1)} s`, String(middle.megabytesPerSecond)],
          peaks.length === 0 ? '' : `${Math.max(...peaks)} MB`,
        ],
      ];
    }),
  ];
}
