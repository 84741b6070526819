import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { drawScenario } from './chaos/draw.js';
import { summarize, tellOutcome, type Outcome } from './chaos/outcome.js';
import { runScenario } from './chaos/run.js';
import type { Scenario } from './chaos/scenario.js';
import { components } from './setup/catalogue.js';
import { Progress } from './setup/progress.js';
import { setUp } from './setup/set-up.js';

const help = `npm run chaos -- [OPTIONS]      upgrades real clusters while things break, and checks that nothing is lost

  --seed N         what everything is drawn from (default 1)
  --runs M         how many runs, numbered from 1 (default 3); each takes about a minute
  --only RUN       only the run of this number: what a failure prints
  --small          three shards of two nodes, three at once, no soak, one fault: the shortest runs there are
  --draw           print what would be done, one scenario a line as JSON, and do nothing
  --summary FILE   write {runs, completed, stopped, lost, invariantViolations, failures} as JSON
  --json           print that on standard output, and the progress on standard error
  --folder DIR     where failed runs leave logs, histories and all that was seen (default .rollout/chaos)
  --help           this text

Interrupted (Ctrl-C), it ends what it started, and writes the summary of the runs before.
Exit code: 0 nothing was lost and no invariant broken, 3 something was, 1 something else went wrong, 2 wrong usage,
130 interrupted.`;

class WrongUsage extends Error {}

function readArguments() {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: '3' },
      only: { type: 'string' },
      small: { type: 'boolean', default: false },
      draw: { type: 'boolean', default: false },
      summary: { type: 'string' },
      json: { type: 'boolean', default: false },
      folder: { type: 'string', default: '.rollout/chaos' },
      help: { type: 'boolean', default: false },
    },
  });
  const whole = (name: 'seed' | 'runs' | 'only', least: number): number => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < least || number > 0xffffffff)
      throw new WrongUsage(`--${name}: expected a whole number from ${least} on, found '${values[name] ?? ''}'`);
    return number;
  };
  const [seed, runs] = [whole('seed', 0), whole('runs', 1)];
  const numbers = values.only === undefined ? Array.from({ length: runs }, (_, i) => i + 1) : [whole('only', 1)];
  return { ...values, scenarios: numbers.map((run) => drawScenario(seed, run, values)) };
}

async function main(interrupted: AbortController): Promise<number> {
  const values = readArguments();
  if (values.help) {
    console.log(help);
    return 0;
  }
  if (values.draw) {
    for (const scenario of values.scenarios) console.log(JSON.stringify(scenario));
    return 0;
  }
  const { signal } = interrupted;
  // As often as it is sent: a second one would leave servers behind.
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => {
      if (signal.aborted) return;
      console.error('chaos: interrupted: ending the servers, the worker and Temporal of this run');
      // What is under way fails as its servers go, in a timer too: the others must be ended all the same.
      process.on('uncaughtException', () => undefined);
      interrupted.abort();
    });
  const tell = (line: string): void => (values.json ? console.error(line) : console.log(line));
  const needed = components.filter(({ name, server }) => server !== undefined || name === 'temporal');
  for (const it of await setUp(needed, new Progress(values.json ? process.stderr : process.stdout), { signal }))
    if (it.state === 'missing') tell(`chaos: ${it.component} is missing: ${it.reason}`);

  const outcomes = await carryOut(values, signal, tell);
  const summary = summarize(outcomes);
  const { failures, ...counts } = summary;
  tell(`\n${JSON.stringify(counts)}, ${failures.length} failures`);
  for (const it of failures) tell(`  ${it.reproduce}`);
  if (values.json) console.log(JSON.stringify(summary, null, 2));
  if (values.summary !== undefined) {
    await mkdir(dirname(resolve(values.summary)), { recursive: true });
    await writeFile(resolve(values.summary), `${JSON.stringify(summary, null, 2)}\n`);
  }
  if (signal.aborted) {
    console.error(
      `chaos: interrupted after ${outcomes.length} of ${values.scenarios.length} runs; all that was started is gone`,
    );
    return 130;
  }
  return failures.length === 0 ? 0 : 3;
}

/** One run after the other; one that is interrupted in its middle is left out. */
async function carryOut(
  { scenarios, folder: parent }: { scenarios: readonly Scenario[]; folder: string },
  signal: AbortSignal,
  tell: (line: string) => void,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const isInterrupted = (): boolean => signal.aborted;
  for (const scenario of scenarios) {
    if (isInterrupted()) break;
    const folder = resolve(parent, `${scenario.seed}-${scenario.run}`);
    tell(JSON.stringify(scenario));
    const outcome: Outcome = await runScenario(scenario, { keep: folder, signal }).then(
      (result) => ({ scenario, folder, result }),
      (error: unknown) => ({
        scenario,
        folder,
        broke: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    );
    if (isInterrupted() && 'broke' in outcome) break;
    outcomes.push(outcome);
    for (const line of tellOutcome(outcome)) tell(line);
  }
  return outcomes;
}

try {
  process.exitCode = await main(new AbortController());
} catch (error) {
  const usage = error instanceof WrongUsage || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
  console.error(`chaos: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = usage ? 2 : 1;
}
// A server that hangs, or a connection to one, must not hold the terminal.
process.exit();
