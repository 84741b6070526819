import { Option, type Command } from 'commander';
import { resolve } from 'node:path';
import { deploymentsFolder } from '../../../integrations/deployment-files.js';
import { parseDuration } from '../../../model/duration.js';
import { stateFolder } from '../../../workers/state-folder.js';
import { command } from '../command.js';
import { Complaint } from '../complaint.js';
import { note, print, printJsonLine } from '../terminal.js';

interface ApprovalsCommandOptions {
  deployments?: string;
  state?: string;
  listen?: string;
  key?: string;
  interval: number;
  json?: true;
}

export function approvalsCommand(): Command {
  return command('approvals', {
    summary: 'tell people what operations do and ask, and take their answers; keep it running',
    description:
      'Tells the routes of each deployment file (notify) what its operations do and ask, in Slack with buttons, and hands answers ' +
      'on to the operations, which judge them. Nothing waits for it but chat: while it is away everything goes on, and it tells ' +
      'what it has missed. With --json one document a line: ready, warning, stopped.',
    examples: [
      ['rollout approvals', 'messages, and buttons by Slack’s Socket Mode'],
      ['rollout approvals --listen 127.0.0.1:8090', 'answers by HTTP too, behind a proxy with TLS'],
      ['rollout approvals --key file:/etc/rollout/approvals.key', 'where answers have to be signed'],
    ],
  })
    .option('--deployments <folder>', 'deployment files (default: ROLLOUT_DEPLOYMENTS, else ./deployments)')
    .option('--state <folder>', 'what was told already (default: ROLLOUT_STATE, else the user’s state folder)')
    .option('--listen <host:port>', 'take answers by HTTP here (default: nowhere)')
    .option(
      '--key <reference>',
      'sign answers with this key: env:NAME or file:PATH (default: ROLLOUT_KEY, else unsigned)',
    )
    .addOption(
      new Option('--interval <duration>', 'time between two looks').default(2000, '2s').argParser((text: string) => {
        const ms = parseDuration(text);
        if (ms === undefined || ms < 100)
          throw new Complaint('usage', `--interval: expected a duration of 100ms or more, found '${text}'`);
        return ms;
      }),
    )
    .action(approvals);
}

async function approvals(given: ApprovalsCommandOptions): Promise<void> {
  const json = given.json === true;
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.once('SIGINT', end).once('SIGTERM', end);
  const key = given.key ?? process.env['ROLLOUT_KEY'];
  const { runApprovals } = await import('../../../workers/approvals/run.js');
  const deployments = resolve(given.deployments ?? deploymentsFolder());
  try {
    await runApprovals({
      deployments,
      state: resolve(given.state ?? stateFolder()),
      listen: given.listen,
      key: key === '' ? undefined : key,
      intervalMs: given.interval,
      signal: stop.signal,
      warn: (message) => (json ? printJsonLine({ type: 'warning', message }) : note(message)),
      onReady: (ready) => {
        if (json) printJsonLine({ type: 'ready', pid: process.pid, deployments, ...ready });
        else
          print([
            `Watching the operations of ${deployments} in namespace '${ready.namespace}' of Temporal at ${ready.address}.`,
            ready.port === undefined ? 'No answers by HTTP (--listen).' : `Answers by HTTP at port ${ready.port}.`,
            ...(ready.publicKey === undefined ? [] : [`Signs answers with ${ready.publicKey}.`]),
          ]);
      },
    });
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
  if (json) printJsonLine({ type: 'stopped' });
  else print('Stopped. Operations go on; what was not told is told by the next one.');
}
