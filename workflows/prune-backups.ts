import { isCancellation, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import { inputProblems, workflowSchemas } from '../model/inputs.js';
import type { Pruned, PruneResult } from '../model/pruning.js';
import { acts, first } from './backup-proxies.js';
import { badInput, messageOf, stopped } from './failure.js';

/** Removes the backups that the deployment file does not keep any longer, and what failed ones left. */
export async function pruneBackups(raw: unknown): Promise<PruneResult> {
  const parsed = workflowSchemas.pruneBackups.safeParse(raw);
  if (!parsed.success) throw badInput('BadInput', `pruneBackups: ${inputProblems(parsed.error, raw)}`);
  const { deployment } = parsed.data;
  const order = { deployment, operation: `${deployment}/${workflowInfo().runId}` };
  try {
    const plan = await first.planPrune.executeWithOptions({ summary: `which backups of ${deployment} are to go` }, [
      { ...order, now: Date.now() },
    ]);
    const go = plan.backups.filter(({ stays }) => !stays).map(({ backup }) => backup);
    setCurrentDetails(
      `${go.length} of ${plan.backups.length} backups in ${plan.target} are to go, and ${plan.leftovers.length} that failed.`,
    );
    // The oldest first: what is left when this is interrupted is what is needed longest.
    const backups: Pruned[] = [];
    for (const backup of go.reverse())
      backups.push(
        await acts.removeBackup.executeWithOptions({ summary: `remove ${backup}` }, [
          { ...order, backup, now: Date.now() },
        ]),
      );
    const leftovers: PruneResult['leftovers'] = [];
    for (const left of plan.leftovers) {
      const input = { ...order, backup: left.backup, now: Date.now() };
      const summary = `remove what is left of ${left.backup}`;
      leftovers.push({ ...left, ...(await acts.removeLeftover.executeWithOptions({ summary }, [input])) });
    }
    const { archive } = plan;
    const segments =
      archive && archive.goes.segments > 0
        ? await acts.pruneArchive.executeWithOptions(
            { summary: `remove what is archived from before ${archive.keptFrom}` },
            [{ ...order, now: Date.now() }],
          )
        : undefined;
    const removed = backups.filter(({ state }) => state === 'removed').length;
    const stay = plan.backups.length - removed;
    return { target: plan.target, stay, backups, leftovers, ...(segments ? { archive: segments } : {}) };
  } catch (error) {
    if (isCancellation(error)) throw error;
    throw stopped(`backups of ${deployment} were not pruned to the end: ${messageOf(error)}`, error);
  }
}
