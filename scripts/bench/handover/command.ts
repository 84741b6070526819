import { parseArgs } from 'node:util';
import { Stage } from '../../sandbox/stage.js';
import { bring, holding, machine, several, untilOneFails, whole, type Bench, type Outcome } from '../bench.js';
import { clientNames, clients, type ClientName } from './clients.js';
import { measure } from './measure.js';
import { methodNames, methods, usualMethods, type Method } from './methods.js';
import { ratiosOf, rowsOf, type Row, type Sample, type Spread } from './rows.js';

const help = `npm run bench handover [-- OPTIONS]     what clients see when one shard of a 3+3 cluster is upgraded, or taken back

  --runs N          of each method and pair of releases, the methods in turn (default 3)
  --pairs LIST      5.0.6:8.0,6.2:8.2 (default), from:to
  --methods LIST    ${methodNames.join(',')} (default ${usualMethods.join(',')})
  --clients LIST    ${clientNames.join(',')} (default all): all of them write at once
  --rate N          writes a second of each client, on a fixed schedule (default 1000)
  --quiet MS        how long is written before anything is done (default 3000)
  --json            JSON on standard output, progress on standard error
  --summary FILE    the same JSON into a file
  --help            this text

Methods
${methodNames.map((name) => `  ${name.padEnd(21)}${methods[name]}`).join('\n')}

Clients
${clientNames.map((name) => `  ${name.padEnd(21)}${clients[name].settings}`).join('\n')}

Exit code: 0 measured; 3 measured, and \`safe\`, \`fast\` or \`cutover\` lost a write; 1 something else went wrong, 2 wrong usage.`;

interface Pair {
  from: string;
  to: string;
}

export const handoverBench: Bench = { help, run };

async function run(args: string[], tell: (line: string) => void): Promise<Outcome> {
  const { values } = parseArgs({
    args,
    options: {
      runs: { type: 'string', default: '3' },
      pairs: { type: 'string', default: '5.0.6:8.0,6.2:8.2' },
      methods: { type: 'string', default: usualMethods.join() },
      clients: { type: 'string', default: clientNames.join() },
      rate: { type: 'string', default: '1000' },
      quiet: { type: 'string', default: '3000' },
    },
  });
  const runs = whole('--runs', values.runs);
  const chosen: Method[] = several('--methods', values.methods, methodNames);
  const writing: ClientName[] = several('--clients', values.clients, clientNames);
  const pairs = values.pairs.split(',').map(pairOf);
  const [perSecond, quietMs] = [whole('--rate', values.rate), whole('--quiet', values.quiet)];
  await bring(pairs.flatMap(({ from, to }) => [from, to]));

  const samples: Sample[] = [];
  await using held = await holding(() => Stage.open());
  const all = Array.from({ length: runs }, (_, n) =>
    pairs.flatMap((pair) =>
      // Each method has been first, so that none has the machine's better hours.
      [...chosen.slice(n % chosen.length), ...chosen.slice(0, n % chosen.length)].map((method) => ({
        n,
        method,
        ...pair,
      })),
    ),
  ).flat();
  const ended = await untilOneFails(all, async ({ n, method, from, to }) => {
    const name = `${method}-${from}-${n + 1}`.replaceAll('.', '-');
    const seen = await measure(held.resource, { method, clients: writing, from, to, perSecond, quietMs, name });
    samples.push(...seen);
    const gaps = seen.map((it) => [`${it.client} ${ms(it.writeGapMs)}`, ...failed(it)].join(', '));
    tell(`run ${n + 1} of ${runs}  ${from} → ${to}  ${method.padEnd(7)}  ${gaps.join('; ')}`);
  });

  const rows = rowsOf(samples);
  const ours = rows.filter(({ method }) => ['safe', 'fast', 'cutover'].includes(method));
  return {
    ...ended,
    clean: ours.every(({ lost }) => lost === 0),
    summary: {
      at: new Date().toISOString(),
      machine: machine(),
      settings: { perSecond, quietMs, clients: Object.fromEntries(writing.map((it) => [it, clients[it].settings])) },
      rows,
      ratios: ratiosOf(rows),
    },
    tables: [table(rows)],
  };
}

function pairOf(text: string): Pair {
  const [from, to, ...more] = text.split(':');
  if (!from || !to || more.length > 0)
    throw new RangeError(`--pairs: expected from:to, for example 5.0.6:8.0, found '${text}'`);
  return { from, to };
}

function table(rows: readonly Row[]): string[][] {
  const ratios = ratiosOf(rows);
  return [
    ['FROM → TO', 'METHOD', 'CLIENT', 'RUNS', 'MOVE', 'WRITE GAP', '× SAFE', 'WHOLE', 'QUIET', 'FAILED', 'LOST', ''],
    ...rows.map((row) => {
      const ratio = ratios.find(
        (it) => it.method === row.method && it.client === row.client && it.from === row.from && it.to === row.to,
      );
      return [
        `${row.from} → ${row.to}`,
        row.method,
        row.client,
        String(row.runs),
        spreadOf(row.moveMs),
        spreadOf(row.writeGapMs),
        ratio ? String(ratio.timesSafe) : '',
        ms(row.wholeGapMs.max),
        ms(row.quietGapMs.max),
        String(row.failedOperations),
        String(row.lost),
        [...(row.fellBack === undefined ? [] : [`safe instead: ${row.fellBack}`]), ...failed(row)].join('; '),
      ];
    }),
  ];
}

const failed = ({ failures }: Pick<Row, 'failures'>): string[] =>
  Object.entries(failures).map(([what, count]) => `${count} × ${what}`);

const ms = (value: number): string => `${value < 100 ? value.toFixed(1) : Math.round(value)} ms`;
const spreadOf = ({ min, median, max }: Spread): string =>
  `${[min, median, max].map((it) => (it < 100 ? it.toFixed(1) : Math.round(it))).join(' / ')} ms`;
