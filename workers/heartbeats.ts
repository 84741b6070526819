import type { WorkflowClient, WorkflowExecutionDescription } from '@temporalio/client';

/**
 * What activities of these types that are under way said last of themselves; of one that said nothing yet, nothing.
 *
 * @param oldestMs what was said longer ago says nothing of now, ms
 */
export function heartbeatsOf<Beat>(
  { raw }: WorkflowExecutionDescription,
  { options }: Pick<WorkflowClient, 'options'>,
  types: readonly string[],
  oldestMs = Infinity,
): Beat[] {
  const converter = options.loadedDataConverter.payloadConverter;
  return (raw.pendingActivities ?? []).flatMap(({ activityType, heartbeatDetails, lastHeartbeatTime }) => {
    const [payload] = heartbeatDetails?.payloads ?? [];
    if (!payload || !types.includes(activityType?.name ?? '')) return [];
    if (Date.now() - Number(lastHeartbeatTime?.seconds ?? 0) * 1000 > oldestMs) return [];
    // Heartbeats come from the beginning, before there is anything to say.
    const beat = converter.fromPayload<Beat | null | undefined>(payload) ?? undefined;
    return beat === undefined ? [] : [beat];
  });
}
