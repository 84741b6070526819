import { activityInfo } from '@temporalio/activity';
import { BackupUses } from '../integrations/backup-uses.js';
import { stillUsed } from '../model/backup-use.js';
import type { Deployment } from '../model/deployment.js';
import type { Dependencies } from './dependencies.js';

/**
 * Keeps a backup, and the archive behind it, from being pruned for as long as this workflow runs. Whether it is still there is
 * to be looked at afterwards.
 *
 * @param deployment whose backup it is
 */
export async function holdBackup(deployment: Deployment, backup: string): Promise<void> {
  const { workflowExecution, namespace } = activityInfo();
  if (!workflowExecution) return;
  const uses = await BackupUses.open(deployment);
  await uses.hold({ backup, namespace, ...workflowExecution });
}

/** Which backups somebody reads, each with why it stays; what ended runs left is taken away. @param now Unix ms */
export async function usedBackups(
  uses: BackupUses,
  { fateOf }: Pick<Dependencies, 'fateOf'>,
  now: number,
): Promise<ReadonlyMap<string, string>> {
  const own = activityInfo().namespace;
  const found = new Map<string, string>();
  for (const use of await uses.all()) {
    const { backup, namespace, workflowId, runId } = use;
    const fate = namespace === own ? await fateOf(workflowId, runId) : 'unknown';
    const why = stillUsed(use, fate, now);
    if (why === undefined) await uses.forget(use);
    else found.set(backup, why);
  }
  return found;
}

/** Removes something that nobody reads. @param act calls `inTime` right before each removal */
export function whileRemoving<Result>(uses: BackupUses, act: (inTime: () => void) => Promise<Result>): Promise<Result> {
  const { workflowExecution, activityId, attempt } = activityInfo();
  return uses.whileRemoving(`${workflowExecution?.runId ?? 'no-run'}-${activityId}-${attempt}`, act);
}
