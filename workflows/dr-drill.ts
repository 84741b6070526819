import { isCancellation, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import { backupId } from '../model/backup-manifest.js';
import type { DrillRecord } from '../model/drill.js';
import { inputProblems, workflowSchemas } from '../model/inputs.js';
import { acts, first, rehearsal } from './backup-proxies.js';
import { badInput, messageOf, stopped } from './failure.js';

/**
 * A disaster, rehearsed: a backup is restored into a cluster that is thrown away, compared, checked by the deployment's own
 * commands and put to failures, and what that took is kept beside the backups. It touches no node of the deployment.
 */
export async function drDrill(raw: unknown): Promise<DrillRecord> {
  const parsed = workflowSchemas.drDrill.safeParse(raw);
  if (!parsed.success) throw badInput('BadInput', `drDrill: ${inputProblems(parsed.error, raw)}`);
  const { deployment, backup: asked, startedBy } = parsed.data;
  const { runId, startTime } = workflowInfo();
  const startedAt = startTime.toISOString();
  const drill = backupId(startedAt, runId);
  const order = { deployment, operation: `${deployment}/${runId}` };
  try {
    const { backup, shards } = await first.readBackup.executeWithOptions(
      { summary: `find ${asked ?? 'the newest backup'}` },
      [{ ...order, ...(asked === undefined ? {} : { backup: asked }) }],
    );
    setCurrentDetails(
      `Drill of ${deployment}: restoring backup ${backup}, ${shards.length} shards, into a cluster of its own.`,
    );
    const record = await rehearsal.rehearseRecovery.executeWithOptions(
      { summary: `restore ${backup} and put it to failures` },
      [{ ...order, drill, backup, startedBy, startedAt }],
    );
    await acts.recordDrill.executeWithOptions({ summary: `record that it ${record.passed ? 'passed' : 'failed'}` }, [
      { ...order, record },
    ]);
    setCurrentDetails(`Drill of ${deployment} with backup ${backup}: ${record.passed ? 'passed' : 'failed'}.`);
    return record;
  } catch (error) {
    if (isCancellation(error)) throw error;
    throw stopped(`the drill of ${deployment} came to no end: ${messageOf(error)}`, error);
  }
}
