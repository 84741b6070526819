import type { WorkflowClient, WorkflowExecutionDescription } from '@temporalio/client';
import { withBeats, type RestoreBeat } from '../model/backup-restore.js';
import type { OperationStatus } from '../model/operation.js';
import type { RestoreActivities } from '../model/backup-work.js';
import { heartbeatsOf } from './heartbeats.js';

const working: readonly string[] = ['forecastShard', 'loadShard', 'compareShard'] satisfies (keyof RestoreActivities)[];

/** The status with how far each shard's load is at this moment: the workflow itself knows of those that have ended. */
export function withLiveRestore(
  status: OperationStatus,
  description: WorkflowExecutionDescription,
  client: Pick<WorkflowClient, 'options'>,
): OperationStatus {
  const { restoring, result } = status;
  if (!restoring || result !== undefined) return status;
  return { ...status, restoring: withBeats(restoring, heartbeatsOf<RestoreBeat>(description, client, working)) };
}
