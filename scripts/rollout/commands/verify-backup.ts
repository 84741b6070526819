import type { Command } from 'commander';
import type { BackupVerdict } from '../../../model/backup-manifest.js';
import { inputProblems, workflowSchemas } from '../../../model/inputs.js';
import { verifyBackupWorkflowId } from '../../../model/names.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { resultOf, startShort } from '../run-to-end.js';
import { withTemporal } from '../temporal.js';
import { print, printJson } from '../terminal.js';
import { provenView } from '../views/backup-view.js';

export function verifyBackupCommand(): Command {
  return command('verify', {
    summary: 'prove a backup by restoring it',
    description:
      'Opens every shard of a backup and has a server of its release load it, one after the other; then the server is thrown ' +
      'away. No node of the deployment is touched, and nothing lies open on a disk. The worker needs as much free memory as ' +
      'the largest shard. What came of it is kept beside the backup.',
    examples: [
      ['rollout backup verify orders', 'the newest'],
      ['rollout backup verify orders 20261129T231400Z-1a2b3c4d', 'this one'],
    ],
  })
    .argument('<deployment>', 'name of the deployment')
    .argument('[backup]', 'which, as `rollout backups` lists it; the newest by default')
    .addOption(shared.as())
    .action((deployment: string, backup: string | undefined, _: unknown, self: Command) =>
      // `--as` and `--json` are options of `rollout backup`, too, and may have been taken for its own.
      verify(deployment, backup, self.optsWithGlobals()),
    );
}

async function verify(
  deployment: string,
  backup: string | undefined,
  { as, json }: { as?: string; json?: true },
): Promise<void> {
  const raw = { deployment, startedBy: identity(as), ...(backup === undefined ? {} : { backup }) };
  const input = workflowSchemas.verifyBackup.safeParse(raw);
  if (!input.success) throw new Complaint('usage', `it can't be verified:\n${inputProblems(input.error, raw)}`);
  await withTemporal(async (temporal) => {
    const workflowId = verifyBackupWorkflowId(deployment);
    const what = `the verification of a backup of ${deployment}`;
    const started = await startShort(temporal, { type: 'verifyBackup', workflowId, input: input.data, what });
    const verdict = await resultOf<BackupVerdict>(temporal, started);
    if (json) printJson(verdict);
    else print(provenView(deployment, verdict));
  });
}
