import type { Command } from 'commander';
import { listDeployments } from '../../../integrations/deployment-files.js';
import { TASK_QUEUE } from '../../../model/names.js';
import type { RunningWorker } from '../../../workers/worker.js';
import { command } from '../command.js';
import { Complaint } from '../complaint.js';
import { note, print, printJsonLine } from '../terminal.js';

interface WorkerCommandOptions {
  deployments?: string;
  state?: string;
  taskQueue: string;
  metrics?: string;
  json?: true;
}

export function workerCommand(): Command {
  return command('worker', {
    summary: 'carry out operations; keep it running where the nodes are',
    description:
      'Polls Temporal for work. On SIGTERM or Ctrl-C it takes no more, lets what is under way come to its end, and hands ' +
      'the rest to another worker or to the next start: no operation is lost. A second Ctrl-C ends it at once, which is ' +
      'safe too. With --json one document a line: polling, draining, stopped.',
    examples: [
      ['rollout worker', 'deployment files from ./deployments'],
      ['rollout worker --deployments /etc/rollout --state /var/lib/rollout', 'as a service'],
      ['TEMPORAL_ADDRESS=temporal:7233 rollout worker', 'against another Temporal'],
    ],
  })
    .option('--deployments <folder>', 'deployment files (default: ROLLOUT_DEPLOYMENTS, else ./deployments)')
    .option('--state <folder>', 'what operations keep (default: ROLLOUT_STATE, else the user’s state folder)')
    .option('--task-queue <name>', 'task queue to poll', TASK_QUEUE)
    .option(
      '--metrics <host:port>',
      'where Prometheus finds the worker’s metrics (default: ROLLOUT_METRICS, else nowhere)',
    )
    .action(work);
}

async function work({ deployments, state, taskQueue, metrics, ...options }: WorkerCommandOptions): Promise<void> {
  const json = options.json === true;
  const { createWorker } = await import('../../../workers/worker.js');
  const running = await createWorker({
    taskQueue,
    ...(deployments === undefined ? {} : { deployments }),
    ...(state === undefined ? {} : { state }),
    ...(metrics === undefined ? {} : { metrics }),
  });
  const drain = (signal: NodeJS.Signals): void => {
    if (running.worker.getState() !== 'RUNNING') process.exit(130);
    if (json) printJsonLine({ type: 'draining', signal });
    else note(`${signal}: taking no more work; what is under way comes to its end. Once more ends it at once.`);
    running.worker.shutdown();
  };
  process.on('SIGINT', drain).on('SIGTERM', drain);
  await announce(running, taskQueue, json);
  try {
    await running.run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Complaint('unreachable', `the worker stopped: ${reason}`, [
      `Is Temporal at ${running.address} still there? Operations go on where they stood with the next worker.`,
    ]);
  } finally {
    process.off('SIGINT', drain).off('SIGTERM', drain);
  }
  if (json) printJsonLine({ type: 'stopped' });
  else print('Stopped. Operations go on where they stood with the next worker.');
}

async function announce(running: RunningWorker, taskQueue: string, json: boolean): Promise<void> {
  const { address, namespace, deployments, state, searchable } = running;
  const names = await listDeployments(deployments);
  if (json) {
    printJsonLine({
      type: 'polling',
      pid: process.pid,
      address,
      namespace,
      taskQueue,
      deployments,
      names,
      state,
      searchable,
    });
    return;
  }
  print([
    `Polling '${taskQueue}' in namespace '${namespace}' of Temporal at ${address}, as pid ${process.pid}.`,
    `Deployments: ${names.length === 0 ? 'none yet' : names.join(', ')} (${deployments})`,
    `State: ${state}`,
  ]);
  if (!searchable)
    note('Search attributes are not registered here: lists in Temporal can’t be filtered by deployment.');
}
