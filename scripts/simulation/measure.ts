import type { WorkflowClient } from '@temporalio/client';
import proto from '@temporalio/proto';
import { findChildren, type Execution } from '../../workers/read-operation.js';
import { timeOf } from '../sandbox/operation.js';

/** What an operation's histories and answers come to. */
export interface FamilyMeasure {
  histories: number;
  events: number;
  /** Of the longest history, and whose it is. */
  maxHistoryEvents: number;
  longest: string;
  /** Of the one with the most bytes, and whose it is. */
  maxHistoryBytes: number;
  largest: string;
  historyBytes: number;
  /** Largest event, bytes, and which: Temporal's limit is 2 MB. */
  maxEventBytes: number;
  largestEvent: string;
  /** Largest answer to a query of the root, bytes. */
  maxAnswerBytes: number;
  /** From scheduled to started, ms: median and 99th percentile over all workflow tasks. */
  taskLatencyMs: { p50: number; p99: number };
  /** Events by type of the root's last run. */
  rootEvents: Record<string, number>;
}

const { HistoryEvent } = proto.temporal.api.history.v1;
const { EventType } = proto.temporal.api.enums.v1;

/** Reads every history of an operation: of its root, its children, and of the runs that they continued from. */
export async function measureFamily(client: WorkflowClient, root: Execution): Promise<FamilyMeasure> {
  const measure: FamilyMeasure = {
    ...{ histories: 0, events: 0, maxHistoryEvents: 0, longest: '', maxHistoryBytes: 0, largest: '', historyBytes: 0 },
    ...{ maxEventBytes: 0, largestEvent: '', maxAnswerBytes: 0, taskLatencyMs: { p50: 0, p99: 0 }, rootEvents: {} },
  };
  const latencies: number[] = [];
  for (const execution of [root, ...(await findChildren(client, root))]) {
    let run: string | undefined = execution.runId;
    do
      run = await readHistory(
        client,
        { ...execution, ...(run ? { runId: run } : {}) },
        measure,
        latencies,
        execution === root,
      );
    while (run);
  }
  for (const query of ['status', 'plan', 'timeline', 'record'] as const) {
    const answer = await client.getHandle(root.workflowId, root.runId).query<unknown>(query);
    measure.maxAnswerBytes = Math.max(measure.maxAnswerBytes, Buffer.byteLength(JSON.stringify(answer ?? null)));
  }
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  measure.taskLatencyMs = { p50: at(0.5), p99: at(0.99) };
  return measure;
}

/** @returns the run that this one continues, if it does */
async function readHistory(
  client: WorkflowClient,
  { workflowId, runId }: Execution,
  measure: FamilyMeasure,
  latencies: number[],
  isRoot: boolean,
): Promise<string | undefined> {
  const { events } = await client.getHandle(workflowId, runId).fetchHistory();
  const scheduled = new Map<number, number>();
  let bytes = 0;
  for (const event of events ?? []) {
    const size = HistoryEvent.encode(event).finish().length;
    const type = (EventType[event.eventType ?? 0] ?? '?').replace('EVENT_TYPE_', '');
    bytes += size;
    if (size > measure.maxEventBytes) {
      measure.maxEventBytes = size;
      measure.largestEvent = `${type} of ${workflowId}`;
    }
    if (isRoot) measure.rootEvents[type] = (measure.rootEvents[type] ?? 0) + 1;
    const ms = timeOf(event);
    if (type === 'WORKFLOW_TASK_SCHEDULED') scheduled.set(Number(event.eventId), ms);
    const since = scheduled.get(Number(event.workflowTaskStartedEventAttributes?.scheduledEventId ?? -1));
    if (since !== undefined) latencies.push(ms - since);
  }
  const count = events?.length ?? 0;
  measure.histories++;
  measure.events += count;
  measure.historyBytes += bytes;
  if (bytes > measure.maxHistoryBytes) {
    measure.maxHistoryBytes = bytes;
    measure.largest = workflowId;
  }
  if (count > measure.maxHistoryEvents) {
    measure.maxHistoryEvents = count;
    measure.longest = workflowId;
  }
  return events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? undefined;
}
