import type { WorkflowClient } from '@temporalio/client';
import type { PayloadConverter } from '@temporalio/common';
import type { Retries, RetriedActivity } from '../model/report.js';
import type { Execution } from './read-operation.js';
import { askedIn, instant, reasonOf, type HistoryEvent } from './read-retries.js';

/** Of an operation on 600 nodes while a network is down there may be thousands: a report is to be read. */
const MOST = 100;
/** A server's own words may be long. */
const LONGEST_MESSAGE = 300;

/**
 * What an operation's workflows had to try more than once, from their histories alone: needs no worker. What is tried again
 * at this moment is in none yet (`RetryReader`).
 */
export async function readRetried(client: WorkflowClient, family: readonly Execution[]): Promise<Retries> {
  const { payloadConverter } = client.options.loadedDataConverter;
  let kept: RetriedActivity[] = [];
  let found = 0;
  // One after the other: a worker has its other work to do in the same memory, and little of each history is kept.
  for (const { workflowId, runId } of family) {
    const { events } = await client.getHandle(workflowId, runId).fetchHistory();
    const retried = retriedIn(events ?? [], workflowId, payloadConverter);
    found += retried.length;
    kept = [...kept, ...retried].sort((a, b) => b.attempts - a.attempts).slice(0, MOST);
  }
  return { activities: kept.sort((a, b) => a.since.localeCompare(b.since)), more: found - kept.length };
}

/** That an attempt was begun is written when the activity is over, with the last attempt's number. */
function retriedIn(
  events: readonly HistoryEvent[],
  workflowId: string,
  payloadConverter: PayloadConverter,
): RetriedActivity[] {
  const byId = new Map(events.map((event) => [String(event.eventId), event]));
  return events.flatMap((event): RetriedActivity[] => {
    const started = endOf(event) && byId.get(String(endOf(event)?.startedEventId));
    const { attempt, lastFailure, scheduledEventId } = started?.activityTaskStartedEventAttributes ?? {};
    const scheduled = byId.get(String(scheduledEventId));
    const asked = scheduled && askedIn(scheduled, payloadConverter);
    if (!asked || !attempt || attempt < 2) return [];
    const { message, ...type } = reasonOf(lastFailure);
    const failure = { ...type, message: message.slice(0, LONGEST_MESSAGE) };
    return [{ workflowId, ...asked, attempts: attempt, until: instant(event.eventTime) ?? '', failure }];
  });
}

const endOf = (event: HistoryEvent) =>
  event.activityTaskCompletedEventAttributes ??
  event.activityTaskFailedEventAttributes ??
  event.activityTaskTimedOutEventAttributes ??
  event.activityTaskCanceledEventAttributes;
