import { parseArgs } from 'node:util';
import { choose } from './setup/catalogue.js';
import { Progress } from './setup/progress.js';
import { setUp } from './setup/set-up.js';
import { addUp, closing, nothing, type Totals } from './test-run/totals.js';
import { runChecks } from './test-run/checks.js';
import { suites, quickFolders, thoroughFiles } from './test-run/suites.js';
import { runVitest } from './test-run/vitest.js';

const help = `npm test [-- OPTIONS] [FILTER...]     sets up what the tests need, and runs them, quick ones first

  FILTER      only test files whose path contains it: handover, test/redis, rejoin/backlog
  --quick     types, lint and what needs no server: about a minute
  --thorough  every pair of releases, every moment, and faults that take their time
  --help      this text

In CI (the variable CI is set) a file that fails is run once more, and what passes then is named as flaky at the end.
Ends with a line such as: 212 passed, 0 failed. Exit code: 0 all passed, 1 otherwise or when no test ran.`;

async function main(interrupted: AbortController): Promise<Totals> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      thorough: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(help);
    process.exit(0);
  }
  if (values.thorough) process.env['ROLLOUT_THOROUGH'] = '1';
  const { signal } = interrupted;
  const totals = nothing();
  // By hand a failure is looked at at once; in CI nobody is there, and its name is at the end all the same.
  const secondTry = process.env['CI'] !== undefined;
  if (!values.quick) addUp(totals, await prepare(signal));
  if (positionals.length > 0) {
    addUp(totals, await runVitest(`tests matching ${positionals.join(', ')}`, positionals, signal));
    return totals;
  }
  addUp(totals, await runChecks(signal));
  const without = values.thorough ? [] : [thoroughFiles];
  for (const { name, folders, atOnce } of await suites(values.quick ? quickFolders : undefined, values.thorough)) {
    if (signal.aborted) break;
    addUp(totals, await runVitest(name, folders, signal, { atOnce, without, secondTry }));
  }
  return totals;
}

/** A component that can't be had is one failure, said at the start; tests that don't need it are run all the same. */
async function prepare(signal: AbortSignal): Promise<Totals> {
  console.log('\n== set-up');
  const outcomes = await setUp(choose({ all: true }), new Progress(process.stdout), { signal });
  const missing = outcomes.filter((it) => it.state === 'missing');
  console.log(missing.length === 0 ? `all ${outcomes.length} components are there` : '');
  const failures = missing.map((it) => ({
    what: `set-up: ${it.component} is missing`,
    why: `to do: ${it.reason}`,
  }));
  for (const { what, why } of failures) console.log(`FAIL ${what}; ${why}`);
  return { ...nothing(), failures };
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
try {
  const totals = await main(interrupted);
  const { passed, failures } = totals;
  process.exitCode = failures.length > 0 || passed === 0 || interrupted.signal.aborted ? 1 : 0;
  if (interrupted.signal.aborted) console.log('\nInterrupted: not all was run.');
  else if (passed + failures.length === 0) console.log('\nNo test ran.');
  console.log(`\n${closing(totals)}`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
