import type { Command } from 'commander';
import type { OperationStatus } from '../../../model/operation.js';
import type { TemporalAccess } from '../../../workers/client.js';
import { command } from '../command.js';
import { Complaint } from '../complaint.js';
import { exitCodes } from '../exit-codes.js';
import { outcomeOf, waitsForPerson } from '../outcome.js';
import { lastKnown, lastKnownView, readWithin, type NoView } from '../read-status.js';
import { noWorker, withTemporal, workflowIdOf } from '../temporal.js';
import { painter, print, printJson, widthOf } from '../terminal.js';
import { statusView } from '../views/status-view.js';

interface StatusOptions {
  json?: true;
  exitWhenWaiting?: true;
}

export function statusCommand(): Command {
  return command('status', {
    summary: 'where an operation stands, on one screen',
    description:
      'Phase and reason, what is waited for and the command that goes on, shards and nodes, gates and approvals. ' +
      'Exit code 0 while it runs or when it completed, 3 when it stopped or was aborted, 7 when no worker answers.',
    examples: [
      ['rollout status orders', 'the upgrade of orders, running or ended'],
      ['rollout status orders --json | jq .status.phase', 'for scripts'],
      ['rollout status orders --exit-when-waiting', 'exit code 6 when a person is waited for'],
    ],
  })
    .argument('<deployment>', 'name of the deployment, or id of the operation')
    .option('--exit-when-waiting', 'exit code 6 when it waits for a person')
    .action(status);
}

async function status(deployment: string, options: StatusOptions): Promise<void> {
  const workflowId = workflowIdOf(deployment);
  await withTemporal(async (temporal) => {
    const description = await temporal.client.workflow.getHandle(workflowId).describe();
    const { OperationReader } = await import('../../../workers/read-operation.js');
    const reader = new OperationReader(temporal.client.workflow, { workflowId, runId: description.runId });
    const view = await readWithin(temporal, () => reader.read());
    if (typeof view === 'string') return withoutStatus(temporal, description, view, options);
    if (options.json) printJson({ workflowId, worker: true, status: view.status });
    else
      print(
        statusView(view.status, { paint: painter(process.stdout), width: widthOf(process.stdout), now: Date.now() }),
      );
    const ended = await outcomeOf(temporal, description);
    process.exitCode = exitCode(view.status, ended?.result, options);
  });
}

function exitCode(
  status: OperationStatus,
  result: OperationStatus['result'],
  { exitWhenWaiting }: StatusOptions,
): number {
  if (result !== undefined && result !== 'completed') return exitCodes.stopped.code;
  return exitWhenWaiting && waitsForPerson(status) ? exitCodes.waiting.code : exitCodes.ok.code;
}

/** Says what Temporal knows, and that it is not the whole truth. */
async function withoutStatus(
  temporal: TemporalAccess,
  description: Parameters<typeof lastKnown>[0],
  why: NoView,
  { json }: StatusOptions,
): Promise<void> {
  const known = lastKnown(description);
  const outcome = await outcomeOf(temporal, description);
  if (json)
    printJson({
      workflowId: known.workflowId,
      worker: why !== 'no worker',
      lastKnown: known,
      ...(outcome ? { outcome } : {}),
    });
  else print([...lastKnownView(known), ...(outcome?.statement ? [outcome.statement] : [])]);
  if (outcome && why === 'no status') {
    process.exitCode = (outcome.result === 'completed' ? exitCodes.ok : exitCodes.stopped).code;
    return;
  }
  const { message, next } = noWorker(temporal.address, temporal.namespace);
  throw new Complaint('noWorker', `${message}: this is only what Temporal itself has kept`, next);
}
