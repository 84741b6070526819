import { isCancellation, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import type { BackupVerdict, ProvenShard } from '../model/backup-manifest.js';
import { inputProblems, workflowSchemas } from '../model/inputs.js';
import { acts, first } from './backup-proxies.js';
import type { Order } from '../model/work.js';
import { pointOf, type PointAsked, type PointVerdict } from '../model/recovery-point.js';
import { badInput, failureTypeOf, messageOf, stopped } from './failure.js';

/**
 * Restores a backup for real, shard by shard, into a server that is thrown away, and records beside it what came of that. It
 * touches no node of the deployment.
 */
export async function verifyBackup(raw: unknown): Promise<BackupVerdict | PointVerdict> {
  const parsed = workflowSchemas.verifyBackup.safeParse(raw);
  if (!parsed.success) throw badInput('BadInput', `verifyBackup: ${inputProblems(parsed.error, raw)}`);
  const { deployment, backup: asked, rate } = parsed.data;
  const order = { deployment, operation: `${deployment}/${workflowInfo().runId}` };
  const point = pointOf(parsed.data);
  if (point) return verifyPoint(order, point);
  const shards: ProvenShard[] = [];
  const record = async (backup: string, found: Pick<BackupVerdict, 'result' | 'problem'>): Promise<BackupVerdict> => {
    const verdict: BackupVerdict = { backup, at: new Date().toISOString(), ...found, shards };
    const summary = `record that ${backup} is ${found.result}`;
    await acts.recordVerdict.executeWithOptions({ summary }, [{ ...order, verdict }]);
    return verdict;
  };
  let backup = asked;
  try {
    const found = await first.readBackup.executeWithOptions({ summary: `find ${asked ?? 'the newest backup'}` }, [
      { ...order, ...(asked === undefined ? {} : { backup: asked }) },
    ]);
    const id = found.backup;
    backup = id;
    // One after the other: each needs as much memory as its shard.
    for (const shard of found.shards) {
      setCurrentDetails(`Backup ${id} of ${deployment}: ${shards.length} of ${found.shards.length} shards are proven.`);
      const summary = `restore ${shard} into a server of its own`;
      shards.push(
        await acts.proveShard.executeWithOptions({ summary }, [
          { ...order, backup: id, shard, ...(rate === undefined ? {} : { rate }) },
        ]),
      );
    }
    const restored = shards.every(({ restoredBy }) => restoredBy !== undefined);
    return await record(id, { result: restored ? 'restored' : 'read' });
  } catch (error) {
    if (isCancellation(error)) throw error;
    const problem = messageOf(error);
    if (failureTypeOf(error) === 'Damaged' && backup !== undefined)
      await record(backup, { result: 'damaged', problem });
    throw stopped(`backup ${backup ?? ''} of ${deployment} is not proven: ${problem}`, error);
  }
}

/** Brings every shard back to a point, each in a server of its own that is thrown away. Nothing is recorded beside a backup. */
async function verifyPoint(order: Order, asked: PointAsked): Promise<PointVerdict> {
  const shards: ProvenShard[] = [];
  try {
    const point = await acts.resolvePoint.executeWithOptions({ summary: 'find the point, and where to begin' }, [
      { ...order, point: asked },
    ]);
    for (const { shard, offset } of point.shards) {
      setCurrentDetails(`${point.asked}: ${shards.length} of ${point.shards.length} shards were brought back.`);
      const summary = `bring ${shard} back to offset ${offset}, in a server of its own`;
      shards.push(
        await acts.provePoint.executeWithOptions({ summary }, [{ ...order, backup: point.backup, shard, offset }]),
      );
    }
    return { point, shards };
  } catch (error) {
    if (isCancellation(error)) throw error;
    throw stopped(`the point is not proven: ${messageOf(error)}`, error);
  }
}
