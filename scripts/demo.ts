import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { connectTemporal } from '../workers/client.js';
import { disaster, tellDisaster } from './demo/disaster.js';
import { setStage, type Stage } from './demo/stage.js';
import { full } from './demo/full.js';
import { tellPhases, type PhaseSummary } from './demo/phases.js';
import { isSound, summarize, tellSummary, type DemoSummary, type StoppedSummary } from './demo/summary.js';
import { Traffic } from './demo/traffic.js';
import { upgrade } from './demo/upgrade.js';
import { choose } from './setup/catalogue.js';
import { Progress } from './setup/progress.js';
import { setUp } from './setup/set-up.js';
import { VERSITYGW } from './setup/versitygw.js';

const FROM = '5.0.6';
const TO = '8.0';

const help = `npm run demo -- [OPTIONS]      upgrades a real 3+3 cluster from Redis ${FROM} to ${TO} while clients write and read

  --fallback       then take it all back to ${FROM}, in place, while an application writes that checks every answer
  --drill          another one: everything is deleted by mistake, and brought back as it was the moment before
  --full           all of it: assessed, rehearsed on a copy and measured there, signed off in a channel, then upgraded,
                   validated and finalized; about six minutes on two cores
  --yes            approve what the upgrade asks; without it you are asked; with --full: press the
                   buttons in the channel, which is a server of this machine that speaks Slack's API
  --summary FILE   write the outcome as JSON
  --keep           leave cluster, worker and Temporal's UI up, and say how to reach them
  --folder DIR     where report, backups and logs go (default .rollout/demo)
  --help           this text

Everything runs on this machine, on loopback, and is gone afterwards but for the folder.
Exit code: 0 completed, or back where --fallback asks for it; 3 stopped or aborted; 1 something else went wrong, or
data is not what was acknowledged; 2 wrong usage.`;

/** Options that ask for different things. */
const apart = [
  ['drill', 'fallback'],
  ['drill', 'keep'],
  ['full', 'drill'],
  ['full', 'fallback'],
  ['full', 'keep'],
] as const;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      fallback: { type: 'boolean', default: false },
      drill: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
      summary: { type: 'string' },
      keep: { type: 'boolean', default: false },
      folder: { type: 'string', default: '.rollout/demo' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const both = apart.find((pair) => pair.every((name) => values[name]));
  if (both) {
    console.error(`demo: ${both.map((name) => `--${name}`).join(' and ')}: expected one of them, found both`);
    return 2;
  }
  if (!values.yes && !values.drill && !values.full && !process.stdin.isTTY) {
    console.error('demo: there is no terminal to ask for the approvals on: say --yes, or run it in one');
    return 2;
  }
  if (!(await haveComponents(values.drill))) return 1;

  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      interrupted.abort();
      console.log('\ndemo: ending what it started, which takes some seconds; once more, and it is left as it is');
    });
  const folder = resolve(values.folder, new Date().toISOString().replace(/[:.]/g, '-'));
  await mkdir(folder, { recursive: true });
  const tell = (line: string): void => console.log(`demo: ${line}`);
  const { fallback, drill, full: whole } = values;
  const stage = await setStage(folder, { release: drill ? TO : FROM, fallback, drill, full: whole, tell });
  const traffic =
    fallback || drill || whole
      ? new Traffic(
          stage.cluster.nodes.map(({ port }) => port),
          { reads: whole },
        )
      : undefined;
  let kept = false;
  const conclude = async (report: string, phases?: PhaseSummary[]): Promise<number> => {
    const file = join(folder, 'report.html');
    await cp(report, file);
    const summary = await summarize(report, await traffic?.finish());
    const told: DemoSummary = { ...summary, ...(phases ? { phases } : {}), report: file };
    console.log(['', ...tellSummary(told)].join('\n'));
    await write(values.summary, told);
    if (values.keep) console.log(['', ...howToReach(stage)].join('\n'));
    if (summary.result !== (fallback ? 'fell back' : 'completed')) return 3;
    return isSound(summary) ? 0 : 1;
  };
  try {
    Object.assign(process.env, stage.environment);
    await using temporal = await connectTemporal();
    if (traffic && drill) {
      const summary = await disaster(temporal, { stage, traffic, tell });
      console.log(['', ...tellDisaster(summary)].join('\n'));
      await write(values.summary, summary);
      return summary.result === 'recovered' ? 0 : 1;
    }
    if (traffic && whole) {
      const about = { stage, traffic, from: FROM, to: TO, yes: values.yes, signal: interrupted.signal, tell };
      const { phases, report } = await full(temporal, about);
      if (report !== undefined) return await conclude(report, phases);
      if (interrupted.signal.aborted) return 130;
      console.log(['', ...tellPhases(phases)].join('\n'));
      await write(values.summary, { result: 'stopped', phases } satisfies StoppedSummary);
      return 3;
    }
    traffic?.start();
    const report = await upgrade(temporal, {
      ...{ from: FROM, to: TO, yes: values.yes, signal: interrupted.signal },
      ...(traffic ? { back: { traffic, state: stage.environment.ROLLOUT_STATE, tell } } : {}),
    });
    if (report === undefined) return interrupted.signal.aborted ? 130 : 3;
    const code = await conclude(report);
    kept = values.keep;
    return code;
  } finally {
    traffic?.stop();
    if (!kept) await stage.stop();
  }
}

async function write(file: string | undefined, summary: object): Promise<void> {
  if (file === undefined) return;
  await mkdir(dirname(resolve(file)), { recursive: true });
  await writeFile(file, JSON.stringify(summary, null, 2) + '\n');
}

async function haveComponents(drill: boolean): Promise<boolean> {
  const needed = [...choose({}), ...(drill ? choose({ only: [VERSITYGW] }) : [])];
  const outcomes = await setUp(needed, new Progress(process.stdout));
  const missing = outcomes.filter((it) => it.state === 'missing');
  for (const it of missing) console.error(`demo: ${it.component} is missing: ${it.reason}`);
  return missing.length === 0;
}

function howToReach({ environment, temporal, worker, cluster }: Stage): string[] {
  const exports = Object.entries(environment).map(([name, value]) => `export ${name}=${value}`);
  const [node] = cluster.nodes;
  return [
    'Left running:',
    `  Temporal's UI  ${temporal.uiUrl ?? ''}  (pid ${temporal.pid})`,
    `  a worker       pid ${worker.pid ?? '?'}`,
    `  the cluster    ${cluster.nodes.map((it) => it.address).join(' ')}`,
    '',
    ...exports.map((line) => `  ${line}`),
    '  npx rollout status orders',
    `  redis-cli -c -p ${node?.port ?? ''} cluster nodes`,
    '',
    'To end it all:',
    `  kill ${worker.pid ?? ''} ${temporal.pid} $(cat ${cluster.root}/*/redis.pid)`,
  ];
}

try {
  process.exitCode = await main();
} catch (error) {
  const usage = (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = usage ? 2 : 1;
}
// Nothing that is left open may hold the terminal: what was to be kept is detached.
process.exit();
