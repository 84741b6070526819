import type { Command } from 'commander';
import { inputProblems, workflowSchemas } from '../../../model/inputs.js';
import { archiveWorkflowId } from '../../../model/names.js';
import type { TemporalAccess } from '../../../workers/client.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { startShort } from '../run-to-end.js';
import { withTemporal } from '../temporal.js';
import { print, printJson } from '../terminal.js';

interface ArchiveOptions {
  as?: string;
  stop?: true;
  json?: true;
}

export function archiveCommand(): Command {
  return command('archive', {
    summary: 'archive every write behind the backups, to go back to any moment',
    description:
      'Starts archiving the replication stream of every shard, read from a replica where there is one, compressed and encrypted ' +
      'on its way, into backup.target of the deployment file; and takes a backup for it to begin from, where none is there. It ' +
      'goes on until it is stopped. No node is changed.',
    examples: [
      ['rollout archive orders', 'start it'],
      ['rollout archive orders --stop', 'what has arrived until then is kept'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .addOption(shared.as())
    .option('--stop', 'end it')
    .action(archive);
}

async function archive(deployment: string, { as, stop, json }: ArchiveOptions): Promise<void> {
  const raw = { deployment, startedBy: identity(as) };
  const input = workflowSchemas.archive.safeParse(raw);
  if (!input.success) throw new Complaint('usage', `it can't be archived:\n${inputProblems(input.error, raw)}`);
  const workflowId = archiveWorkflowId(deployment);
  await withTemporal(async (temporal) => {
    if (stop) {
      await stopArchive(temporal, deployment, workflowId);
      if (json) printJson({ workflowId, stopping: true });
      else print(`Stopping ${workflowId}: what has arrived is put into the target, and then it ends.`);
      return;
    }
    const what = `the archive of ${deployment}`;
    const started = await startShort(temporal, { type: 'archive', workflowId, input: input.data, what });
    if (json) printJson({ ...started, input: input.data });
    else print(`Started ${workflowId}. How far it reaches: rollout backups ${deployment}`);
  });
}

/** @throws Complaint refused where none runs */
async function stopArchive({ client }: TemporalAccess, deployment: string, workflowId: string): Promise<void> {
  const { WorkflowNotFoundError } = await import('@temporalio/client');
  const handle = client.workflow.getHandle(workflowId);
  const isRunning = await handle.describe().then(
    ({ status }) => status.name === 'RUNNING',
    (error: unknown) => {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    },
  );
  // Cancelling one that has ended is no error to Temporal.
  if (!isRunning)
    throw new Complaint('refused', `${deployment} is not archived: ${workflowId} does not run`, [
      `How far it was archived: rollout backups ${deployment}`,
    ]);
  await handle.cancel();
}
