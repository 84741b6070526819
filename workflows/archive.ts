import { continueAsNew, isCancellation, patched, workflowInfo } from '@temporalio/workflow';
import { inputProblems, workflowSchemas } from '../model/inputs.js';
import { Archiving } from './archiving.js';
import { badInput, messageOf, stopped } from './failure.js';

/**
 * Archives the streams of commands of a deployment behind its backups, shard by shard, for as long as it is not cancelled.
 * It changes no node and holds no lock. Where the archive has a gap, or begins, a backup is taken.
 */
export async function archive(raw: unknown): Promise<void> {
  const parsed = workflowSchemas.archive.safeParse(raw);
  if (!parsed.success) throw badInput('BadInput', `archive: ${inputProblems(parsed.error, raw)}`);
  const { deployment } = parsed.data;
  const archiving = new Archiving(deployment, `${deployment}/${workflowInfo().runId}`);
  try {
    await archiving.begin();
  } catch (error) {
    if (isCancellation(error)) throw error;
    throw stopped(`nothing of ${deployment} is archived: ${messageOf(error)}`, error);
  }
  // Archives that were begun before there was such a thing go on without until they continue as new.
  if (patched('merge-archive')) archiving.merge();
  try {
    while (!workflowInfo().continueAsNewSuggested) await archiving.next();
  } finally {
    // What has arrived is stored before this ends, or goes on as another run.
    await archiving.end();
  }
  await continueAsNew<typeof archive>(parsed.data);
}
