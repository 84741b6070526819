import type { Command } from 'commander';
import { loadDeployment } from '../../../integrations/deployment-files.js';
import { inputProblems, workflowSchemas } from '../../../model/inputs.js';
import { pruneBackupsWorkflowId } from '../../../model/names.js';
import type { PruneResult } from '../../../model/pruning.js';
import { command, shared } from '../command.js';
import { Complaint } from '../complaint.js';
import { identity } from '../identity.js';
import { resultOf, startShort } from '../run-to-end.js';
import { withTemporal } from '../temporal.js';
import { print, printJson, widthOf } from '../terminal.js';
import { prunedView, prunePlanView } from '../views/prune-view.js';

interface PruneOptions {
  as?: string;
  dryRun?: true;
  json?: true;
}

export function pruneBackupsCommand(): Command {
  return (
    command('prune', {
      summary: 'remove the backups that are not kept any longer',
      description:
        'Removes what backup.retention of the deployment file does not keep, what failed backups left in the target, and what is ' +
        'archived from before backup.archive.keep. What is just being restored, verified or drilled stays. The ' +
        'newest good backup, the newest proven one, and all while there is no good one, stay whatever the file says. ' +
        'Schedules do it after each backup.',
      examples: [
        ['rollout backups prune orders --dry-run', 'what would go and what stays, each with its reason'],
        ['rollout backups prune orders', 'and remove it'],
      ],
    })
      .argument('<deployment>', 'name of the deployment')
      .option('--dry-run', 'say what would be done, and do nothing; no Temporal is needed')
      .addOption(shared.as())
      // `--json` is an option of `rollout backups`, too, and may have been taken for its own.
      .action((deployment: string, _: unknown, self: Command) => prune(deployment, self.optsWithGlobals()))
  );
}

async function prune(name: string, { as, dryRun, json }: PruneOptions): Promise<void> {
  if (dryRun) {
    const deployment = await loadDeployment(name);
    const { openPruneStores, planPrune } = await import('../../../integrations/plan-prune.js');
    const plan = await planPrune(deployment, await openPruneStores(deployment), Date.now());
    if (json) printJson({ deployment: name, ...plan });
    else print(prunePlanView(plan, { deployment: name, width: widthOf(process.stdout) }));
    return;
  }
  const raw = { deployment: name, startedBy: identity(as) };
  const input = workflowSchemas.pruneBackups.safeParse(raw);
  if (!input.success) throw new Complaint('usage', `nothing can be pruned:\n${inputProblems(input.error, raw)}`);
  await withTemporal(async (temporal) => {
    const workflowId = pruneBackupsWorkflowId(name);
    const what = `the pruning of the backups of ${name}`;
    const started = await startShort(temporal, { type: 'pruneBackups', workflowId, input: input.data, what });
    const result = await resultOf<PruneResult>(temporal, started);
    if (json) printJson(result);
    else print(prunedView(result, { deployment: name, width: widthOf(process.stdout) }));
  });
}
