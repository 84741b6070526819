import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { drawScenario } from './chaos/draw.js';
import { summarize, tellOutcome, type Outcome } from './chaos/outcome.js';
import { runScenario } from './chaos/run.js';
import { components } from './setup/catalogue.js';
import { Progress } from './setup/progress.js';
import { setUp } from './setup/set-up.js';

const help = `npm run chaos -- [OPTIONS]      upgrades real clusters while things break, and checks that nothing is lost

  --seed N         what everything is drawn from (default 1)
  --runs M         how many runs, numbered from 1 (default 3); each takes about a minute
  --only RUN       only the run of this number: what a failure prints
  --draw           print what would be done, one scenario a line as JSON, and do nothing
  --summary FILE   write {runs, completed, stopped, lost, invariantViolations, failures} as JSON
  --json           print that on standard output, and the progress on standard error
  --folder DIR     where failed runs leave logs, histories and all that was seen (default .rollout/chaos)
  --help           this text

Exit code: 0 nothing was lost and no invariant broken, 3 something was, 1 something else went wrong, 2 wrong usage.`;

class WrongUsage extends Error {}

function readArguments() {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: '3' },
      only: { type: 'string' },
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
  return { ...values, scenarios: numbers.map((run) => drawScenario(seed, run)) };
}

async function main(): Promise<number> {
  const values = readArguments();
  if (values.help) {
    console.log(help);
    return 0;
  }
  if (values.draw) {
    for (const scenario of values.scenarios) console.log(JSON.stringify(scenario));
    return 0;
  }
  const tell = (line: string): void => (values.json ? console.error(line) : console.log(line));
  const needed = components.filter(({ name, server }) => server !== undefined || name === 'temporal');
  for (const it of await setUp(needed, new Progress(values.json ? process.stderr : process.stdout)))
    if (it.state === 'missing') tell(`chaos: ${it.component} is missing: ${it.reason}`);

  const outcomes: Outcome[] = [];
  for (const scenario of values.scenarios) {
    const folder = resolve(values.folder, `${scenario.seed}-${scenario.run}`);
    tell(JSON.stringify(scenario));
    const outcome: Outcome = await runScenario(scenario, { keep: folder }).then(
      (result) => ({ scenario, folder, result }),
      (error: unknown) => ({
        scenario,
        folder,
        broke: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    );
    outcomes.push(outcome);
    for (const line of tellOutcome(outcome)) tell(line);
  }
  const summary = summarize(outcomes);
  const { failures, ...counts } = summary;
  tell(`\n${JSON.stringify(counts)}, ${failures.length} failures`);
  for (const it of failures) tell(`  ${it.reproduce}`);
  if (values.json) console.log(JSON.stringify(summary, null, 2));
  if (values.summary !== undefined) {
    await mkdir(dirname(resolve(values.summary)), { recursive: true });
    await writeFile(resolve(values.summary), `${JSON.stringify(summary, null, 2)}\n`);
  }
  return failures.length === 0 ? 0 : 3;
}

try {
  process.exitCode = await main();
} catch (error) {
  const usage = error instanceof WrongUsage || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
  console.error(`chaos: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = usage ? 2 : 1;
}
// A server that hangs, or a connection to one, must not hold the terminal.
process.exit();
