import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { endAll, holding } from './bench/bench.js';
import { choose } from './setup/catalogue.js';
import { Progress } from './setup/progress.js';
import { setUp } from './setup/set-up.js';
import { isComparable, passedBounds } from './simulation/bounds.js';
import { faultLevels, type FaultLevel } from './simulation/faults.js';
import { Fleet } from './simulation/fleet.js';
import type { Violation } from './simulation/invariants.js';
import { growth, simulate, tellGrowth, type Size, type Summary } from './simulation/simulate.js';

const help = `npm run simulate -- [OPTIONS]      upgrades simulated deployments by the real workflows, and checks every invariant

  --nodes N        nodes of each deployment, two a shard (default 6)
  --runs M         how many deployments, each with a seed of its own (default 1)
  --seed N         what everything is drawn from (default 1); run K of seed N is run 1 of seed N + K - 1
  --faults LEVEL   ${faultLevels.join(', ')}: nothing, what another try mends, or also what stops an upgrade (default some)
  --parallel P     shards upgraded at once (default 10)
  --growth         12, 60 and 300 nodes before it: how events, time and memory grow
  --summary FILE   write {nodes, shards, durationMs, maxHistoryEvents, eventsPerNode, workerPeakRssMb, …} as JSON
  --json           print that on standard output, and the progress on standard error
  --help           this text

Nothing but a Temporal server that skips time and one worker is started. docs/simulation.md says how to read it.
Interrupted (Ctrl-C), it ends what it started.
Exit code: 0 no invariant was broken and no bound passed, 3 an invariant was broken, 4 only a bound was passed (a history has
more than a fifth of what Temporal allows, or with --growth a larger fleet costs more events or bytes a node), 1 something
else went wrong, 2 wrong usage, 130 interrupted.`;

class WrongUsage extends Error {}

function readArguments() {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '6' },
      runs: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      faults: { type: 'string', default: 'some' },
      parallel: { type: 'string', default: '10' },
      growth: { type: 'boolean', default: false },
      summary: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const whole = (name: 'nodes' | 'runs' | 'seed' | 'parallel', least: number): number => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < least || number > 0xffffffff)
      throw new WrongUsage(`--${name}: expected a whole number from ${least} on, found '${values[name]}'`);
    return number;
  };
  const nodes = whole('nodes', 2);
  if (nodes % 2 !== 0) throw new WrongUsage(`--nodes: expected an even number, two a shard, found ${nodes}`);
  const faults = faultLevels.find((it) => it === values.faults);
  if (faults === undefined)
    throw new WrongUsage(`--faults: expected one of ${faultLevels.join(', ')}, found '${values.faults}'`);
  const size: Size = {
    nodes,
    faults: faults satisfies FaultLevel,
    seed: whole('seed', 0),
    runs: whole('runs', 1),
    parallel: whole('parallel', 1),
  };
  return { ...values, size };
}

async function main(): Promise<number> {
  const values = readArguments();
  if (values.help) {
    console.log(help);
    return 0;
  }
  const tell = (line: string): void => (values.json ? console.error(line) : console.log(line));
  const [server] = await setUp(
    choose({ only: ['temporal-test-server'] }),
    new Progress(values.json ? process.stderr : process.stdout),
  );
  if (server?.state === 'missing') throw new Error(`the time-skipping server is missing. To do: ${server.reason}`);
  const smaller: Summary[] = [];
  const violations: Violation[] = [];
  const measure = async (size: Size): Promise<Summary> => {
    await using fleet = await holding(() => Fleet.open());
    const found = await simulate(fleet.resource, size, tell);
    violations.push(...found.violations);
    return found.summary;
  };
  for (const nodes of values.growth ? growth(values.size.nodes) : [])
    smaller.push(await measure({ ...values.size, nodes, runs: 1 }));
  const summary = await measure(values.size);
  const rows = [...smaller, summary];
  const passed = passedBounds(rows);
  for (const it of violations) tell(`VIOLATION ${JSON.stringify(it)}`);
  for (const it of passed) tell(`BOUND PASSED ${it}`);
  for (const line of tellGrowth(rows)) tell(line);
  if (values.growth)
    for (const { nodes } of rows.filter((row) => !isComparable(row)))
      tell(`${nodes} nodes are left out of what growth is judged by: not completed by the first start`);
  const whole = { ...summary, ...(values.growth ? { growth: smaller } : {}), violations, passedBounds: passed };
  if (values.json) console.log(JSON.stringify(whole, null, 2));
  if (values.summary !== undefined) {
    await mkdir(dirname(resolve(values.summary)), { recursive: true });
    await writeFile(resolve(values.summary), `${JSON.stringify(whole, null, 2)}\n`);
  }
  return violations.length > 0 ? 3 : passed.length > 0 ? 4 : 0;
}

let ended: Promise<void> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    // What is under way fails as its server goes.
    process.on('uncaughtException', () => undefined);
    ended ??= endAll().then(() => process.exit(130));
  });
try {
  process.exitCode = await main();
} catch (error) {
  await ended;
  const usage = error instanceof WrongUsage || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
  console.error(`simulate: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = usage ? 2 : 1;
}
process.exit();
