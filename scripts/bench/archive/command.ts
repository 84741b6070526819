import { parseArgs } from 'node:util';
import { formatSize } from '../../../model/duration.js';
import { bring, machine, positive, untilOneFails, whole, type Bench, type Outcome } from '../bench.js';
import { measure, type ArchiveRow } from './measure.js';

const help = `npm run bench archive [-- OPTIONS]     how far an archive is behind a shard that is written to

  --rates LIST       megabytes of values a second (default 1,10,40)
  --seconds N        how long each (default 30)
  --release RELEASE  (default 8.0)
  --json             JSON on standard output, progress on standard error
  --summary FILE     the same JSON into a file
  --help             this text

A primary is given documents of 1 kB by the clock. Its replica's stream is archived, compressed and encrypted, into an S3 server of
this machine, by a process of its own, as a worker does it. BEHIND is how old the oldest write is that is not in the bucket, right
before each segment is: what would be lost at the worst moment. The aim is less than a second.

Exit code: 0 measured; 1 something went wrong, 2 wrong usage, 3 it was a second behind, or more.`;

export const archiveBench: Bench = { help, run };

const AIM_MS = 1000;

async function run(args: string[], tell: (line: string) => void): Promise<Outcome> {
  const { values } = parseArgs({
    args,
    options: {
      rates: { type: 'string', default: '1,10,40' },
      seconds: { type: 'string', default: '30' },
      release: { type: 'string', default: '8.0' },
    },
  });
  const rates = values.rates.split(',').map((it) => positive('--rates', it));
  const seconds = whole('--seconds', values.seconds);
  await bring([values.release], ['versitygw']);
  const rows: ArchiveRow[] = [];
  const ended = await untilOneFails(rates, async (rate) => {
    rows.push(await measure({ release: values.release, rate, seconds }, tell));
  });
  return {
    ...ended,
    clean: rows.every(({ behindMs }) => behindMs.max < AIM_MS),
    summary: { at: new Date().toISOString(), machine: machine(), release: values.release, rows },
    tables: [table(rows)],
  };
}

const table = (rows: readonly ArchiveRow[]): string[][] => [
  ['ASKED', 'WRITTEN', 'STREAM', 'STORED', 'SEGMENTS', 'BEHIND', 'P99', 'MOST', 'DRAINED', 'PEAK MEMORY'],
  ...rows.map((it) => [
    ...[`${it.rate} MB/s`, `${it.writtenRate} MB/s`, formatSize(it.streamBytes), formatSize(it.storedBytes)],
    ...[String(it.segments), `${it.behindMs.median} ms`, `${it.behindMs.p99} ms`, `${it.behindMs.max} ms`],
    ...[`${it.drainedMs} ms`, `${it.peakMb} MB`],
  ]),
];
