import { isDeepStrictEqual } from 'node:util';
import type {
  CalendarSpec,
  ScheduleClient,
  ScheduleDescription,
  ScheduleHandle,
  ScheduleOptions,
  ScheduleUpdateOptions,
} from '@temporalio/client';
import type { Deployment } from '../model/deployment.js';
import { searchAttributes, TASK_QUEUE } from '../model/names.js';
import {
  scheduleIds,
  wantedSchedules,
  type CalendarTimes,
  type ScheduleKind,
  type WantedSchedule,
} from '../model/schedules.js';

/** What a schedule is like, and what is done to bring it in line with the deployment file. */
export interface ScheduleState {
  id: string;
  kind: ScheduleKind;
  /** What was done; `none` where it is as the file has it. */
  change: 'created' | 'changed' | 'removed' | 'paused' | 'resumed' | 'none';
  /** When, for people; absent where the file does not have it. */
  when?: string;
  paused: boolean;
  /** Why it is paused. */
  note?: string;
  /** Instants. */
  next?: string;
  last?: { at: string; workflowId: string; runId: string };
  /** How often it began one; how often it did not: the one before was still under way, or it was too late. */
  taken: number;
  skipped: number;
  missed: number;
}

type Action = ScheduleOptions['action'];

/** Creates, changes and removes until Temporal has what the deployment file says. A schedule that is paused stays so. */
export async function alignSchedules(client: ScheduleClient, deployment: Deployment): Promise<ScheduleState[]> {
  return each(client, deployment, async ({ kind, handle, found, wanted }) => {
    if (!wanted) {
      if (!found) return undefined;
      await handle.delete();
      return { ...stateOf(found, kind), change: 'removed' };
    }
    const options = optionsFor(handle.scheduleId, wanted);
    if (!found) await withAttributes(deployment, wanted, options, (it) => client.create(it));
    else if (!sameAs(found, options, wanted))
      await withAttributes(deployment, wanted, options, (it) => update(handle, it));
    else return { ...stateOf(found, kind, wanted), change: 'none' };
    return { ...stateOf(await handle.describe(), kind, wanted), change: found ? 'changed' : 'created' };
  });
}

/** What there is, whatever the file says. */
export function readSchedules(client: ScheduleClient, deployment: Deployment): Promise<ScheduleState[]> {
  return each(client, deployment, ({ kind, found, wanted }) => Promise.resolve(found && stateOf(found, kind, wanted)));
}

export function removeSchedules(client: ScheduleClient, deployment: Deployment): Promise<ScheduleState[]> {
  return each(client, deployment, async ({ kind, handle, found }) => {
    if (!found) return undefined;
    await handle.delete();
    return { ...stateOf(found, kind), change: 'removed' };
  });
}

/** @param note who did it, and why */
export function pauseSchedules(
  client: ScheduleClient,
  deployment: Deployment,
  { pause, note }: { pause: boolean; note: string },
): Promise<ScheduleState[]> {
  return each(client, deployment, async ({ kind, handle, found }) => {
    if (!found) return undefined;
    const change = found.state.paused === pause ? 'none' : pause ? 'paused' : 'resumed';
    if (change !== 'none') await (pause ? handle.pause(note) : handle.unpause(note));
    return { ...stateOf(await handle.describe(), kind), change };
  });
}

/** A schedule as Temporal has it, where it does, and as the file wants it, where it does. */
interface Known {
  kind: ScheduleKind;
  handle: ScheduleHandle;
  found: ScheduleDescription | undefined;
  wanted: WantedSchedule | undefined;
}

async function each(
  client: ScheduleClient,
  deployment: Deployment,
  act: (known: Known) => Promise<ScheduleState | undefined>,
): Promise<ScheduleState[]> {
  const { ScheduleNotFoundError } = await import('@temporalio/client');
  const all = wantedSchedules(deployment);
  const states: ScheduleState[] = [];
  for (const [kind, id] of scheduleIds(deployment.name)) {
    const handle = client.getHandle(id);
    const found = await handle.describe().catch((error: unknown) => {
      if (error instanceof ScheduleNotFoundError) return undefined;
      throw error;
    });
    const state = await act({ kind, handle, found, wanted: all.find((it) => it.kind === kind) });
    if (state) states.push(state);
  }
  return states;
}

/** Temporal takes no less. */
const LEAST_CATCH_UP_MS = 10_000;
const catchUpOf = ({ catchUp }: WantedSchedule): number => Math.max(catchUp, LEAST_CATCH_UP_MS);

function optionsFor(scheduleId: string, wanted: WantedSchedule): ScheduleOptions {
  const { at, skip, jitter, timezone, type, input, summary } = wanted;
  return {
    scheduleId,
    spec: { calendars: [calendarOf(at)], skip: skip.map(calendarOf), jitter, timezone },
    // One that takes longer than its interval is not followed by a queue of others.
    policies: { overlap: 'SKIP', catchupWindow: catchUpOf(wanted) },
    action: {
      type: 'startWorkflow',
      workflowType: type,
      workflowId: scheduleId,
      taskQueue: TASK_QUEUE,
      args: [input],
      staticSummary: summary,
    },
  };
}

const days = ['SUNDAY', 'MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY'] as const;
const calendarOf = ({ minute, hour, dayOfMonth, dayOfWeek }: CalendarTimes): CalendarSpec => ({
  second: { start: 0, end: 0, step: 1 },
  minute: { ...minute, step: 1 },
  hour: { ...hour, step: 1 },
  dayOfMonth: { ...dayOfMonth, step: 1 },
  month: { start: 'JANUARY', end: 'DECEMBER', step: 1 },
  year: [],
  dayOfWeek: { start: days[dayOfWeek.start] ?? 'SUNDAY', end: days[dayOfWeek.end] ?? 'SATURDAY', step: 1 },
});

/** Whatever the file decides, as Temporal has it now: somebody may have changed it there. */
function sameAs(
  { spec, policies, action }: ScheduleDescription,
  wanted: ScheduleOptions,
  asked: WantedSchedule,
): boolean {
  const times = (calendars: readonly CalendarSpec[] = []) =>
    calendars.map(({ second, minute, hour, dayOfMonth, month, year, dayOfWeek }) =>
      [second, minute, hour, dayOfMonth, month, year, dayOfWeek].map((it) => [it].flat()),
    );
  return isDeepStrictEqual(
    {
      ...{ at: times(spec.calendars), skip: times(spec.skip), intervals: spec.intervals ?? [] },
      ...{ from: spec.startAt, to: spec.endAt },
      ...{ jitter: spec.jitter ?? 0, timezone: spec.timezone ?? 'UTC' },
      ...{ overlap: policies.overlap, catchUp: policies.catchupWindow },
      ...{ type: action.workflowType, id: action.workflowId, queue: action.taskQueue, args: action.args },
      summary: action.staticSummary,
    },
    {
      ...{ at: times(wanted.spec.calendars), skip: times(wanted.spec.skip), intervals: [] },
      ...{ from: undefined, to: undefined },
      ...{ jitter: asked.jitter, timezone: asked.timezone },
      ...{ overlap: wanted.policies?.overlap, catchUp: catchUpOf(asked) },
      ...{ type: asked.type, id: wanted.action.workflowId, queue: TASK_QUEUE, args: [asked.input] },
      summary: asked.summary,
    },
  );
}

const update = (handle: ScheduleHandle, { spec, action, policies }: ScheduleOptions): Promise<void> =>
  handle.update(({ state }): ScheduleUpdateOptions => ({
    spec,
    action,
    state,
    ...(policies === undefined ? {} : { policies }),
  }));

/** Searched for as other workflows are, where this Temporal has our search attributes. */
async function withAttributes(
  { name }: Deployment,
  { type }: WantedSchedule,
  options: ScheduleOptions,
  act: (options: ScheduleOptions) => Promise<unknown>,
): Promise<void> {
  const { defineSearchAttributeKey, SearchAttributeType } = await import('@temporalio/common');
  const keyword = (attribute: string) => defineSearchAttributeKey(attribute, SearchAttributeType.KEYWORD);
  const typedSearchAttributes = [
    { key: keyword(searchAttributes.deployment), value: name },
    { key: keyword(searchAttributes.operation), value: type },
  ];
  const action: Action = { ...options.action, typedSearchAttributes };
  try {
    await act({ ...options, action, typedSearchAttributes });
  } catch (error) {
    if (!/search attribute/i.test(String(error) + String((error as Error).cause))) throw error;
    await act(options);
  }
}

function stateOf(
  { scheduleId: id, state, info }: ScheduleDescription,
  kind: ScheduleKind,
  wanted?: WantedSchedule,
): ScheduleState {
  const [next, last] = [info.nextActionTimes[0], info.recentActions.at(-1)];
  return {
    ...{ id, kind, change: 'none', ...(wanted ? { when: wanted.text } : {}), paused: state.paused },
    ...(state.note === undefined || state.note === '' ? {} : { note: state.note }),
    ...(next === undefined || state.paused ? {} : { next: next.toISOString() }),
    ...(last === undefined
      ? {}
      : {
          last: {
            at: last.takenAt.toISOString(),
            ...{ workflowId: last.action.workflow.workflowId, runId: last.action.workflow.firstExecutionRunId },
          },
        }),
    ...{ taken: info.numActionsTaken, skipped: info.numActionsSkippedOverlap },
    missed: info.numActionsMissedCatchupWindow,
  };
}
