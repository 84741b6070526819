import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { archiveBench } from './bench/archive/command.js';
import { backupBench } from './bench/backup/command.js';
import { endAll, type Bench } from './bench/bench.js';
import { followBench } from './bench/follow/command.js';
import { handoverBench } from './bench/handover/command.js';
import { restoreBench } from './bench/restore/command.js';
import { upgradeBench } from './bench/upgrade/command.js';
import { verifyBench } from './bench/verify/command.js';
import { columns } from './rollout/views/columns.js';

const benches: Readonly<Record<string, Bench>> = {
  archive: archiveBench,
  backup: backupBench,
  follow: followBench,
  handover: handoverBench,
  restore: restoreBench,
  upgrade: upgradeBench,
  verify: verifyBench,
};

const help = `npm run bench NAME [-- OPTIONS]     measures on real servers of this machine, on loopback

  archive    how far an archive is behind a shard that is written to
  backup     how fast a shard goes into a bucket, encrypted, beside redis-cli | gzip | openssl | upload
  follow     how fast a follower takes in what a primary writes, beside a native replica
  handover   what clients see of a primary's handover, ours beside what people do by hand
  restore    how fast a backup's snapshots go into a cluster, beside redis-cli --pipe and the servers' own loading
  upgrade    how long a whole upgrade takes, beside the bare restarts and loads of its nodes
  verify     how fast a restored server is compared with its backup, beside DUMP on both ends

npm run bench NAME -- --help tells the options. How to read them: docs/benchmarks.md`;

async function main([name = '', ...args]: string[]): Promise<number> {
  const bench = benches[name];
  if (!bench) {
    (name === '--help' ? console.log : console.error)(
      name === '--help' ? help : `bench: expected a benchmark\n${help}`,
    );
    return name === '--help' ? 0 : 2;
  }
  const { json, summary, rest } = outputs(args);
  if (rest.includes('--help')) {
    console.log(bench.help);
    return 0;
  }
  const tell = (line: string): void => (json ? console.error : console.log)(line);
  const outcome = await bench.run(rest, tell);
  if (json) console.log(JSON.stringify(outcome.summary, null, 2));
  else
    console.log(
      outcome.tables.flatMap((it) => ['', ...columns(it, { width: process.stdout.columns || 160 })]).join('\n'),
    );
  if (summary !== undefined) {
    await mkdir(dirname(resolve(summary)), { recursive: true });
    await writeFile(summary, JSON.stringify(outcome.summary, null, 2) + '\n');
  }
  if (outcome.failure === undefined) return outcome.clean ? 0 : 3;
  console.error(`bench: ended early; what was measured until then stands above: ${messageOf(outcome.failure)}`);
  return 1;
}

/** `--json` and `--summary FILE`, which every benchmark has. */
function outputs(args: readonly string[]): { json: boolean; summary?: string; rest: string[] } {
  const rest = args.filter((it) => it !== '--json');
  const at = rest.indexOf('--summary');
  if (at < 0) return { json: rest.length < args.length, rest };
  const [, summary] = rest.splice(at, 2);
  if (summary === undefined) throw new RangeError('--summary: expected a file');
  return { json: args.includes('--json'), summary, rest };
}

/** Temporal says what failed in the cause of the cause. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${messageOf(error.cause)}` : error.message;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    // What is under way fails as its servers go, in a timer too: the others must be ended all the same.
    process.on('uncaughtException', () => undefined);
    void endAll().then(() => process.exit(130));
  });
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const usage = error instanceof RangeError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
  console.error(`bench: ${messageOf(error)}`);
  process.exitCode = usage ? 2 : 1;
}
// Nothing that is left open may hold the terminal.
process.exit();
