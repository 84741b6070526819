import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isCancel, select } from '@clack/prompts';
import { operationId, TASK_QUEUE } from '../model/names.js';
import type { OperationStatus } from '../model/operation.js';
import { connectTemporal, type TemporalAccess } from '../workers/client.js';
import { people, setStage, type Stage } from './demo/stage.js';
import { summarize, tellSummary } from './demo/summary.js';
import { follow, type Seen } from './rollout/watch/follow.js';
import { Lines } from './rollout/watch/lines.js';
import { choose } from './setup/catalogue.js';
import { Progress } from './setup/progress.js';
import { setUp } from './setup/set-up.js';

const FROM = '5.0.6';
const TO = '8.0';

const help = `npm run demo -- [OPTIONS]      upgrades a real 3+3 cluster from Redis ${FROM} to ${TO} while clients write and read

  --yes            approve what the upgrade asks; without it you are asked
  --summary FILE   write the outcome as JSON
  --keep           leave cluster, worker and Temporal's UI up, and say how to reach them
  --folder DIR     where report, backups and logs go (default .rollout/demo)
  --help           this text

Everything runs on this machine, on loopback, and is gone afterwards but for the folder.
Exit code: 0 completed, 3 stopped or aborted, 1 something else went wrong, 2 wrong usage.`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
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
  if (!values.yes && !process.stdin.isTTY) {
    console.error('demo: there is no terminal to ask for the approvals on: say --yes, or run it in one');
    return 2;
  }
  if (!(await haveComponents())) return 1;

  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  const folder = resolve(values.folder, new Date().toISOString().replace(/[:.]/g, '-'));
  await mkdir(folder, { recursive: true });
  const stage = await setStage(folder, FROM, (line) => console.log(`demo: ${line}`));
  let kept = false;
  try {
    Object.assign(process.env, stage.environment);
    await using temporal = await connectTemporal();
    const report = await upgrade(temporal, values.yes, interrupted.signal);
    if (report === undefined) return interrupted.signal.aborted ? 130 : 3;
    const file = join(folder, 'report.html');
    await cp(report, file);
    const summary = await summarize(report);
    const told = { ...summary, report: file };
    console.log(['', ...tellSummary(told)].join('\n'));
    if (values.summary !== undefined) {
      await mkdir(dirname(resolve(values.summary)), { recursive: true });
      await writeFile(values.summary, JSON.stringify(told, null, 2) + '\n');
    }
    kept = values.keep;
    if (kept) console.log(['', ...howToReach(stage)].join('\n'));
    return summary.result === 'completed' ? 0 : 3;
  } finally {
    if (!kept) await stage.stop();
  }
}

async function haveComponents(): Promise<boolean> {
  const outcomes = await setUp(choose({}), new Progress(process.stdout));
  const missing = outcomes.filter((it) => it.state === 'missing');
  for (const it of missing) console.error(`demo: ${it.component} is missing: ${it.reason}`);
  return missing.length === 0;
}

/** Starts the upgrade, follows it, answers its questions; the report's path once it has ended. */
async function upgrade(temporal: TemporalAccess, yes: boolean, signal: AbortSignal): Promise<string | undefined> {
  const workflowId = operationId('orders');
  const handle = await temporal.client.workflow.start('upgrade', {
    workflowId,
    taskQueue: TASK_QUEUE,
    args: [{ deployment: 'orders', to: TO, startedBy: 'demo' }],
    staticSummary: `orders: Redis ${FROM} → ${TO}, rolling, 3×2 nodes`,
  });
  const lines = new Lines();
  const asked = new Set<string>();
  const questions: Promise<void>[] = [];
  const watcher = {
    seen(view: Seen): void {
      lines.seen(view);
      for (const { kind, name } of view.status.waiting)
        if (kind === 'approval' && !asked.has(name)) {
          asked.add(name);
          questions.push(answer(name, view.status));
        }
    },
    blind: (why: string) => lines.blind(why),
    close: () => lines.close(),
  };
  const answer = async (approval: string, status: OperationStatus): Promise<void> => {
    const record = status.approvals.find((it) => it.approval === approval && it.state === 'open');
    const by = people[(record?.roles[0] ?? 'engineering') as keyof typeof people];
    const decision = yes ? 'approve' : await ask(record?.question ?? approval, by);
    await handle.executeUpdate(decision, { args: [{ by, approval, comment: yes ? 'demo --yes' : 'at the demo' }] });
  };
  const followed = await follow(temporal, workflowId, watcher, { intervalMs: 500, exitWhenWaiting: false, signal });
  await Promise.all(questions);
  if (followed.end !== 'ended') return undefined;
  const { statement, artefacts } = followed.view?.status ?? (await handle.query<OperationStatus>('status'));
  console.log(`\n${statement ?? ''}`);
  return artefacts === '' ? undefined : join(artefacts, 'report.html');
}

async function ask(question: string, by: string): Promise<'approve' | 'reject'> {
  const given = await select({
    message: `${question} (you answer as ${by})`,
    options: [
      { value: 'approve', label: 'approve' },
      { value: 'reject', label: 'reject: the upgrade stops here, safely' },
    ],
  });
  return isCancel(given) || given === 'reject' ? 'reject' : 'approve';
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
