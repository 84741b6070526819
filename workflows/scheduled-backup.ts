import { executeChild, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { BackupManifest, BackupVerdict } from '../model/backup-manifest.js';
import { inputProblems, workflowSchemas } from '../model/inputs.js';
import type { PruneResult } from '../model/pruning.js';
import { backup } from './backup.js';
import { acts } from './backup-proxies.js';
import { badInput, messageOf, stopped } from './failure.js';
import { pruneBackups } from './prune-backups.js';
import { verifyBackup } from './verify-backup.js';

export interface ScheduledBackupResult {
  backup: Omit<BackupManifest, 'shards'>;
  /** Where it was to be proven. */
  verdict?: BackupVerdict;
  pruned: PruneResult;
}

/**
 * What a schedule starts: a backup is taken, proven where that is due, and only then are older ones pruned. Each is a child
 * with an id of its own, so that a backup which somebody asks for meanwhile is not refused.
 */
export async function scheduledBackup(raw: unknown): Promise<ScheduledBackupResult> {
  const parsed = workflowSchemas.scheduledBackup.safeParse(raw);
  if (!parsed.success) throw badInput('BadInput', `scheduledBackup: ${inputProblems(parsed.error, raw)}`);
  const { deployment, tier, startedBy } = parsed.data;
  const { runId, workflowId } = workflowInfo();
  const child = (name: string) => ({ workflowId: `${workflowId}/${name}` });
  try {
    const { shards, ...taken } = await executeChild(backup, {
      ...child('backup'),
      args: [{ deployment, startedBy, tier }],
      staticSummary: `${deployment}: a ${tier} backup of it`,
    });
    const order = { deployment, operation: `${deployment}/${runId}`, backup: taken.backup, tier };
    const due = await acts.chooseProof.executeWithOptions({ summary: `is ${taken.backup} to be proven?` }, [order]);
    const verdict = due
      ? ((await executeChild(verifyBackup, {
          ...child('verify'),
          args: [{ deployment, startedBy, backup: taken.backup }],
          staticSummary: `${deployment}: backup ${taken.backup} restored, ${shards.length} shards`,
          // A backup was asked for, and no point.
        })) as BackupVerdict)
      : undefined;
    // Nothing older goes where the newest could not be taken, or is not what it should be.
    const pruned = await executeChild(pruneBackups, {
      ...child('prune'),
      args: [{ deployment, startedBy }],
      staticSummary: `${deployment}: its older backups pruned`,
    });
    return { backup: taken, ...(verdict === undefined ? {} : { verdict }), pruned };
  } catch (error) {
    if (isCancellation(error)) throw error;
    throw stopped(`the ${tier} backup of ${deployment}: ${messageOf(error)}`, error);
  }
}
