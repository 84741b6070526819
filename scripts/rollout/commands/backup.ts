import type { Command } from 'commander';
import type { BackupManifest } from '../../../model/backup-manifest.js';
import { inputProblems, workflowSchemas } from '../../../model/inputs.js';
import { backupWorkflowId } from '../../../model/names.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { resultOf, startShort } from '../run-to-end.js';
import { withTemporal } from '../temporal.js';
import { print, printJson } from '../terminal.js';
import { takenView } from '../views/backup-view.js';
import { verifyBackupCommand } from './verify-backup.js';

interface BackupOptions {
  as?: string;
  wait: boolean;
  json?: true;
}

export function backupCommand(): Command {
  return command('backup', {
    summary: 'take a backup now, encrypted, to the deployment’s target',
    description:
      'Streams the snapshot of every shard, from a replica where one has everything, compressed and encrypted on its way, ' +
      'into backup.target of the deployment file. No node is changed, and an operation that runs is not disturbed.',
    examples: [
      ['rollout backup orders', 'and wait until it is taken'],
      ['rollout backup orders --no-wait', 'it goes on by itself'],
      ['rollout backup orders --json | jq .cutWithinMs', 'the manifest'],
      ['rollout backup verify orders', 'restore the newest, to see that it can be'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .addOption(shared.as())
    .option('--no-wait', 'leave once it is started')
    .addCommand(verifyBackupCommand())
    .action(backup);
}

async function backup(deployment: string, { as, wait, json }: BackupOptions): Promise<void> {
  const raw = { deployment, startedBy: identity(as) };
  const input = workflowSchemas.backup.safeParse(raw);
  if (!input.success) throw new Complaint('usage', `no backup can be taken:\n${inputProblems(input.error, raw)}`);
  await withTemporal(async (temporal) => {
    const workflowId = backupWorkflowId(deployment);
    const what = `a backup of ${deployment}`;
    const started = await startShort(temporal, { type: 'backup', workflowId, input: input.data, what });
    if (!wait) {
      if (json) printJson({ ...started, input: input.data });
      else print(`Started ${workflowId}. See what there is: rollout backups ${deployment}`);
      return;
    }
    const manifest = await resultOf<BackupManifest>(temporal, started);
    if (json) printJson(manifest);
    else print(takenView(manifest));
  });
}
