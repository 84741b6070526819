import { isCancellation, patched, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import { backupId, type BackupManifest, type SealedShard } from '../model/backup-manifest.js';
import { inParallel } from '../model/in-parallel.js';
import { inputProblems, workflowSchemas } from '../model/inputs.js';
import { acts, first } from './backup-proxies.js';
import { badInput, messageOf, stopped } from './failure.js';

/** Each holds a part of an upload in the worker's memory. */
const SHARDS_AT_ONCE = 8;

/**
 * A backup of the whole deployment: every shard's snapshot, streamed into the target, and the manifest last. It changes no
 * node, holds no lock, and waits for nobody.
 */
export async function backup(raw: unknown): Promise<BackupManifest> {
  const parsed = workflowSchemas.backup.safeParse(raw);
  if (!parsed.success) throw badInput('BadInput', `backup: ${inputProblems(parsed.error, raw)}`);
  const { deployment, startedBy, tier } = parsed.data;
  const { runId, startTime } = workflowInfo();
  const startedAt = startTime.toISOString();
  // The beginning of a run's id is a time, too: two that were started at once had one id, and aborted each other's uploads.
  const id = backupId(startedAt, patched('backup-id-of-its-own') ? runId.slice(-8) : runId);
  const order = { deployment, operation: `${deployment}/${runId}` };
  try {
    const { shards, target } = await first.beginBackup.executeWithOptions(
      { summary: `read ${deployment}, and try the target` },
      [order],
    );
    const sealed: SealedShard[] = [];
    const show = (): void =>
      setCurrentDetails(
        `Backup ${id} of ${deployment} to ${target}: ${sealed.length} of ${shards.length} shards are in.`,
      );
    show();
    // All at the same time, as far as memory goes: their snapshots are to be of the same moment.
    await inParallel(shards, SHARDS_AT_ONCE, async (shard) => {
      const input = { ...order, backup: id, ...shard };
      sealed.push(await acts.sealShard.executeWithOptions({ summary: `back up ${shard.shard}` }, [input]));
      show();
    });
    const about = { backup: id, startedBy, ...(tier === undefined ? {} : { tier }), startedAt, shards: sealed };
    return await acts.endBackup.executeWithOptions({ summary: `write the manifest of ${id}` }, [
      { ...order, ...about },
    ]);
  } catch (error) {
    if (isCancellation(error)) throw error;
    throw stopped(`backup ${id} of ${deployment} was not taken: ${messageOf(error)}`, error);
  }
}
