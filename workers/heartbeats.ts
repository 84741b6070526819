import type { WorkflowClient, WorkflowExecutionDescription } from '@temporalio/client';

/** What activities of these types that are under way said last of themselves; of one that said nothing yet, nothing. */
export function heartbeatsOf<Beat>(
  { raw }: WorkflowExecutionDescription,
  { options }: Pick<WorkflowClient, 'options'>,
  types: readonly string[],
): Beat[] {
  const converter = options.loadedDataConverter.payloadConverter;
  return (raw.pendingActivities ?? []).flatMap(({ activityType, heartbeatDetails }) => {
    const [payload] = heartbeatDetails?.payloads ?? [];
    return types.includes(activityType?.name ?? '') && payload ? [converter.fromPayload<Beat>(payload)] : [];
  });
}
