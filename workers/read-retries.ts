import type { WorkflowClient, WorkflowExecutionDescription } from '@temporalio/client';
import type { PayloadConverter } from '@temporalio/common';
import type { Instant } from '../model/operation.js';
import type { Activities } from '../model/work.js';
import type { Execution } from './read-operation.js';

/** An activity that has failed at least once and is tried again: nobody hears of it from the workflow itself. */
export interface Retry {
  /** Of the operation or the child that waits for it. */
  workflowId: string;
  activity: string;
  /** What it does and where, as in Temporal's UI: `isolate 10.0.0.5:6379`. */
  what: string;
  /** Which attempt is under way, or comes next. */
  attempt: number;
  /** Absent where it is tried for as long as the operation lasts. */
  maximumAttempts?: number;
  /** When it was asked for at first. */
  since: Instant;
  /** Only while the next attempt is waited for. */
  nextAttemptAt?: Instant;
  /** Why the last attempt failed: a type of the closed list where it is one of ours, and the message's first line. */
  failure: { type?: string; message: string; at?: Instant };
}

type Pending = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];
type Time = Pending['lastStartedTime'];
type History = Awaited<ReturnType<ReturnType<WorkflowClient['getHandle']>['fetchHistory']>>;
export type HistoryEvent = NonNullable<History['events']>[number];

/** Attempts that are no news while they run: the probe goes on with another worker when its own ends. */
const unending: readonly (keyof Activities)[] = ['runProbe', 'follow'];

/**
 * Reads what an operation and its running children try again, from Temporal alone: needs no worker. An activity that
 * failed for the first time costs one reading of its workflow's history.
 */
export class RetryReader {
  readonly #asked = new Map<string, Asked | undefined>();

  constructor(private readonly client: WorkflowClient) {}

  /** In the order of their first attempts. */
  async read(root: Execution): Promise<Retry[]> {
    const { raw } = await this.client.getHandle(root.workflowId, root.runId).describe();
    const retried = (raw.pendingActivities ?? []).filter(isNews);
    const own = await this.#retries(root.workflowId, raw.workflowExecutionInfo?.execution?.runId ?? '', retried);
    const children = (raw.pendingChildren ?? []).flatMap(({ workflowId, runId }) =>
      workflowId && runId ? [{ workflowId, runId }] : [],
    );
    const theirs: Retry[] = [];
    // One after the other: a child that has ended meanwhile has a description all the same.
    for (const child of children) theirs.push(...(await this.read(child)));
    return [...own, ...theirs].sort((a, b) => a.since.localeCompare(b.since));
  }

  async #retries(workflowId: string, runId: string, pending: readonly Pending[]): Promise<Retry[]> {
    const key = ({ activityId }: Pending): string => `${runId} ${activityId ?? ''}`;
    if (pending.some((it) => !this.#asked.has(key(it)))) {
      const history = await this.client.getHandle(workflowId, runId).fetchHistory();
      for (const it of pending) this.#asked.set(key(it), this.#askedFor(history, it));
    }
    return pending.map((it) => {
      const activity = it.activityType?.name ?? '';
      const asked = this.#asked.get(key(it));
      const next = instant(it.nextAttemptScheduleTime);
      const at = instant(it.lastAttemptCompleteTime);
      return {
        workflowId,
        activity,
        what: asked?.what ?? activity,
        attempt: it.attempt ?? 1,
        ...(it.maximumAttempts ? { maximumAttempts: it.maximumAttempts } : {}),
        since: asked?.since ?? instant(it.lastStartedTime) ?? at ?? '',
        ...(next === undefined ? {} : { nextAttemptAt: next }),
        failure: { ...reasonOf(it.lastFailure), ...(at === undefined ? {} : { at }) },
      };
    });
  }

  /** A description has neither its summary nor its first moment: the event has, by which the workflow asked for it. */
  #askedFor({ events }: History, { activityId }: Pending): Asked | undefined {
    const { payloadConverter } = this.client.options.loadedDataConverter;
    const event = events?.find((it) => it.activityTaskScheduledEventAttributes?.activityId === activityId);
    return event && askedIn(event, payloadConverter);
  }
}

function isNews({ attempt, lastFailure, activityType, nextAttemptScheduleTime }: Pending): boolean {
  if (!lastFailure || (attempt ?? 1) < 2) return false;
  return Boolean(nextAttemptScheduleTime) || !unending.some((name) => name === activityType?.name);
}

/** What an activity is to do and where, and when it was asked for. */
interface Asked {
  activity: string;
  what: string;
  since: Instant;
}

/** Of the event by which a workflow asks for an activity; undefined of any other. */
export function askedIn(
  { eventTime, userMetadata, activityTaskScheduledEventAttributes: asked }: HistoryEvent,
  payloadConverter: PayloadConverter,
): Asked | undefined {
  if (!asked) return undefined;
  const activity = asked.activityType?.name ?? '';
  const summary = userMetadata?.summary ? payloadConverter.fromPayload<string>(userMetadata.summary) : undefined;
  return { activity, what: summary ?? activity, since: instant(eventTime) ?? '' };
}

/** A type of the closed list where it is one of ours, and the message's first line. */
export function reasonOf(failure: Pending['lastFailure']): { type?: string; message: string } {
  const type = failure?.applicationFailureInfo?.type;
  return { ...(type ? { type } : {}), message: (failure?.message ?? '').split('\n')[0] ?? '' };
}

export const instant = (time: Time): Instant | undefined =>
  time ? new Date(Number(time.seconds ?? 0) * 1000 + (time.nanos ?? 0) / 1e6).toISOString() : undefined;
