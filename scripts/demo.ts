import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { connectTemporal } from '../workers/client.js';
import { disaster, tellDisaster } from './demo/disaster.js';
import { setStage, type Stage } from './demo/stage.js';
import { isSound, summarize, tellSummary } from './demo/summary.js';
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
  --yes            approve what the upgrade asks; without it you are asked
  --summary FILE   write the outcome as JSON
  --keep           leave cluster, worker and Temporal's UI up, and say how to reach them
  --folder DIR     where report, backups and logs go (default .rollout/demo)
  --help           this text

Everything runs on this machine, on loopback, and is gone afterwards but for the folder.
Exit code: 0 completed, or back where --fallback asks for it; 3 stopped or aborted; 1 something else went wrong, or
data is not what was acknowledged; 2 wrong usage.`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      fallback: { type: 'boolean', default: false },
      drill: { type: 'boolean', default: false },
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
  if (values.drill && (values.fallback || values.keep)) {
    console.error(`demo: --drill and ${values.fallback ? '--fallback' : '--keep'}: expected one of them, found both`);
    return 2;
  }
  if (!values.yes && !values.drill && !process.stdin.isTTY) {
    console.error('demo: there is no terminal to ask for the approvals on: say --yes, or run it in one');
    return 2;
  }
  if (!(await haveComponents(values.drill))) return 1;

  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  const folder = resolve(values.folder, new Date().toISOString().replace(/[:.]/g, '-'));
  await mkdir(folder, { recursive: true });
  const tell = (line: string): void => console.log(`demo: ${line}`);
  const { fallback, drill } = values;
  const stage = await setStage(folder, { release: drill ? TO : FROM, fallback, drill, tell });
  const traffic = fallback || drill ? new Traffic(stage.cluster.nodes.map(({ port }) => port)) : undefined;
  let kept = false;
  try {
    Object.assign(process.env, stage.environment);
    await using temporal = await connectTemporal();
    if (traffic && drill) {
      const summary = await disaster(temporal, { stage, traffic, tell });
      console.log(['', ...tellDisaster(summary)].join('\n'));
      await write(values.summary, summary);
      return summary.result === 'recovered' ? 0 : 1;
    }
    traffic?.start();
    const report = await upgrade(temporal, {
      ...{ from: FROM, to: TO, yes: values.yes, signal: interrupted.signal },
      ...(traffic ? { back: { traffic, state: stage.environment.ROLLOUT_STATE, tell } } : {}),
    });
    if (report === undefined) return interrupted.signal.aborted ? 130 : 3;
    const file = join(folder, 'report.html');
    await cp(report, file);
    const summary = await summarize(report, await traffic?.finish());
    const told = { ...summary, report: file };
    console.log(['', ...tellSummary(told)].join('\n'));
    await write(values.summary, told);
    kept = values.keep;
    if (kept) console.log(['', ...howToReach(stage)].join('\n'));
    if (summary.result !== (values.fallback ? 'fell back' : 'completed')) return 3;
    return isSound(summary) ? 0 : 1;
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
