import type { WorkflowClient, WorkflowExecutionDescription } from '@temporalio/client';
import { withBeats, type RestoreBeat } from '../model/backup-restore.js';
import type { OperationStatus } from '../model/operation.js';
import type { RestoreActivities } from '../model/work.js';

const working: readonly string[] = ['forecastShard', 'loadShard', 'compareShard'] satisfies (keyof RestoreActivities)[];

/** The status with how far each shard's load is at this moment: the workflow itself knows of those that have ended. */
export function withLiveRestore(
  status: OperationStatus,
  { raw }: WorkflowExecutionDescription,
  { options }: Pick<WorkflowClient, 'options'>,
): OperationStatus {
  const { restoring, result } = status;
  if (!restoring || result !== undefined) return status;
  const converter = options.loadedDataConverter.payloadConverter;
  const beats = (raw.pendingActivities ?? []).flatMap(({ activityType, heartbeatDetails }) => {
    const [payload] = heartbeatDetails?.payloads ?? [];
    return working.includes(activityType?.name ?? '') && payload ? [converter.fromPayload<RestoreBeat>(payload)] : [];
  });
  return { ...status, restoring: withBeats(restoring, beats) };
}
