import type { Command } from 'commander';
import { parseDuration } from '../../../model/duration.js';
import type { TemporalAccess } from '../../../workers/client.js';
import { command } from '../command.js';
import { Complaint } from '../complaint.js';
import { exitCodes } from '../exit-codes.js';
import type { Outcome } from '../outcome.js';
import { withTemporal, workflowIdOf } from '../temporal.js';
import { note, painter, print, printJsonLine, widthOf } from '../terminal.js';
import { statusView } from '../views/status-view.js';
import { follow, type Followed } from '../watch/follow.js';
import { JsonLines, Lines } from '../watch/lines.js';
import { Screen } from '../watch/screen.js';

export interface WatchOptions {
  /** What is exit code 0 beside `completed`. */
  wanted?: Outcome['result'];
  json?: true;
  exitWhenWaiting?: true;
  interval?: string;
}

export function watchCommand(): Command {
  return command('watch', {
    summary: 'follow an operation to its end',
    description:
      'A live view on a terminal; in a pipe one line for each thing that happens; with --json one document a line. ' +
      'Ends when the operation ends: exit code 0 when it completed, 3 when it stopped, was aborted or taken back. ' +
      'Ctrl-C leaves the view, never the operation.',
    examples: [
      ['rollout watch orders', 'live, on a terminal'],
      ['rollout watch orders | tee upgrade.log', 'one line for each thing that happens'],
      ['rollout watch orders --exit-when-waiting', 'in a script: exit code 6 when a person is waited for'],
    ],
  })
    .argument('<deployment>', 'name of the deployment, or id of the operation')
    .option('--exit-when-waiting', 'leave with exit code 6 when it waits for a person')
    .option('--interval <duration>', 'time between two looks', '1s')
    .action((deployment: string, options: WatchOptions) =>
      withTemporal((temporal) => watch(temporal, deployment, options)),
    );
}

/** Follows on the terminal, in lines or in JSON, and sets the exit code by how it ends. */
export async function watch(temporal: TemporalAccess, deployment: string, options: WatchOptions): Promise<void> {
  const intervalMs = parseDuration(options.interval ?? '1s');
  if (intervalMs === undefined || intervalMs < 50)
    throw new Complaint('usage', `--interval: expected a duration of at least 50ms, found '${options.interval ?? ''}'`);
  const leaving = new AbortController();
  const leave = (): void => leaving.abort();
  process.on('SIGINT', leave).on('SIGTERM', leave);
  const live = !options.json && process.stdout.isTTY;
  const watcher = options.json
    ? new JsonLines()
    : live
      ? new Screen(process.stdout, painter(process.stdout), deployment)
      : new Lines();
  let followed: Followed;
  try {
    followed = await follow(temporal, workflowIdOf(deployment), watcher, {
      intervalMs,
      exitWhenWaiting: options.exitWhenWaiting === true,
      signal: leaving.signal,
    });
  } finally {
    watcher.close();
    process.off('SIGINT', leave).off('SIGTERM', leave);
  }
  conclude(followed, deployment, { json: options.json === true, live, wanted: ['completed', options.wanted] });
}

interface Conclusion {
  json: boolean;
  live: boolean;
  wanted: (Outcome['result'] | undefined)[];
}

function conclude(followed: Followed, deployment: string, { json, live, wanted }: Conclusion): void {
  if (followed.end === 'left') {
    process.exitCode = exitCodes.interrupted.code;
    if (json) printJsonLine({ type: 'end', end: 'left' });
    else note(`You left; the operation goes on. Come back with: rollout watch ${deployment}`);
    return;
  }
  // The screen is gone: its last state stays on the terminal, with the statement.
  if (live && followed.view)
    print(
      statusView(followed.view.status, {
        paint: painter(process.stdout),
        width: widthOf(process.stdout),
        now: Date.now(),
      }),
    );
  if (followed.end === 'waiting') {
    process.exitCode = exitCodes.waiting.code;
    if (json) printJsonLine({ type: 'end', end: 'waiting', waiting: followed.view.status.waiting });
    return;
  }
  const { outcome } = followed;
  process.exitCode = (wanted.includes(outcome.result) ? exitCodes.ok : exitCodes.stopped).code;
  if (json) printJsonLine({ type: 'end', end: 'ended', ...outcome });
  else print(closing(live ? { ...outcome, statement: '' } : outcome, deployment));
}

function closing({ result, statement }: Outcome, deployment: string): string[] {
  return [
    `${deployment}: ${result}.${statement === '' ? '' : ` ${statement}`}`,
    `Report: rollout report ${deployment}`,
  ];
}
