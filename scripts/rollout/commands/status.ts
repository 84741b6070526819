import type { Command } from 'commander';
import type { OperationStatus } from '../../../model/operation.js';
import type { TemporalAccess } from '../../../workers/client.js';
import type { Retry } from '../../../workers/read-retries.js';
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
      'Phase and reason, what is waited for and the command that goes on, what fails and is tried again, shards and ' +
      'nodes, gates and approvals. ' +
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
    const { withLive } = await import('../../../workers/live-status.js');
    const { RetryReader } = await import('../../../workers/read-retries.js');
    const retries = await new RetryReader(temporal.client.workflow).read({ workflowId, runId: description.runId });
    if (typeof view === 'string') return withoutStatus(temporal, { description, retries, why: view }, options);
    const now = withLive(view.status, description, temporal.client.workflow);
    if (options.json) printJson({ workflowId, worker: true, status: now, retries });
    else
      print(
        statusView(now, {
          paint: painter(process.stdout),
          width: widthOf(process.stdout),
          now: Date.now(),
          retries,
        }),
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
  { description, retries, why }: { description: Parameters<typeof lastKnown>[0]; retries: Retry[]; why: NoView },
  { json }: StatusOptions,
): Promise<void> {
  const known = lastKnown(description);
  const outcome = await outcomeOf(temporal, description);
  if (json)
    printJson({
      workflowId: known.workflowId,
      worker: why !== 'no worker',
      lastKnown: known,
      retries,
      ...(outcome ? { outcome } : {}),
    });
  else print([...lastKnownView(known, retries), ...(outcome?.statement ? [outcome.statement] : [])]);
  if (outcome && why === 'no status') {
    process.exitCode = (outcome.result === 'completed' ? exitCodes.ok : exitCodes.stopped).code;
    return;
  }
  const { message, next } = noWorker(temporal.address, temporal.namespace);
  throw new Complaint('noWorker', `${message}: this is only what Temporal itself has kept`, next);
}
