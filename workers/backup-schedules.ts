import { isDeepStrictEqual } from 'node:util';
import type {
  CalendarSpec,
  ScheduleClient,
  ScheduleDescription,
  ScheduleHandle,
  ScheduleOptions,
  ScheduleUpdateOptions,
} from '@temporalio/client';
import { tierTimes, type CalendarTimes, type TierTimes } from '../model/backup-schedules.js';
import { backupTiers, type BackupTier } from '../model/backup-tiers.js';
import type { Deployment } from '../model/deployment.js';
import { backupScheduleId, searchAttributes, TASK_QUEUE, type WorkflowType } from '../model/names.js';

/** What a schedule is like, and what is done to bring it in line with the deployment file. */
export interface ScheduleState {
  id: string;
  tier: BackupTier;
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
const TYPE: WorkflowType = 'scheduledBackup';

/** Creates, changes and removes until Temporal has what the deployment file says. A schedule that is paused stays so. */
export async function alignSchedules(client: ScheduleClient, deployment: Deployment): Promise<ScheduleState[]> {
  const wanted = wantedTimes(deployment);
  return eachTier(client, deployment, async (tier, handle, found) => {
    const times = wanted.find((it) => it.tier === tier);
    if (!times) {
      if (!found) return undefined;
      await handle.delete();
      return { ...stateOf(found, tier), change: 'removed' };
    }
    const options = optionsFor(deployment, times);
    if (!found) await withAttributes(deployment, options, (it) => client.create(it));
    else if (!sameAs(found, options, delaysOf(deployment)))
      await withAttributes(deployment, options, (it) => update(handle, it));
    else return { ...stateOf(found, tier, times), change: 'none' };
    return { ...stateOf(await handle.describe(), tier, times), change: found ? 'changed' : 'created' };
  });
}

/** What there is, whatever the file says. */
export function readSchedules(client: ScheduleClient, deployment: Deployment): Promise<ScheduleState[]> {
  const wanted = wantedTimes(deployment);
  return eachTier(client, deployment, (tier, _, found) => {
    const times = wanted.find((it) => it.tier === tier);
    return Promise.resolve(found && stateOf(found, tier, times));
  });
}

export function removeSchedules(client: ScheduleClient, deployment: Deployment): Promise<ScheduleState[]> {
  return eachTier(client, deployment, async (tier, handle, found) => {
    if (!found) return undefined;
    await handle.delete();
    return { ...stateOf(found, tier), change: 'removed' };
  });
}

/** @param note who did it, and why */
export function pauseSchedules(
  client: ScheduleClient,
  deployment: Deployment,
  { pause, note }: { pause: boolean; note: string },
): Promise<ScheduleState[]> {
  return eachTier(client, deployment, async (tier, handle, found) => {
    if (!found) return undefined;
    const change = found.state.paused === pause ? 'none' : pause ? 'paused' : 'resumed';
    if (change !== 'none') await (pause ? handle.pause(note) : handle.unpause(note));
    return { ...stateOf(await handle.describe(), tier), change };
  });
}

const wantedTimes = ({ backup }: Deployment): TierTimes[] => (backup.schedule ? tierTimes(backup.schedule) : []);

async function eachTier(
  client: ScheduleClient,
  { name }: Deployment,
  act: (
    tier: BackupTier,
    handle: ScheduleHandle,
    found: ScheduleDescription | undefined,
  ) => Promise<ScheduleState | undefined>,
): Promise<ScheduleState[]> {
  const { ScheduleNotFoundError } = await import('@temporalio/client');
  const states: ScheduleState[] = [];
  for (const tier of backupTiers) {
    const handle = client.getHandle(backupScheduleId(name, tier));
    const found = await handle.describe().catch((error: unknown) => {
      if (error instanceof ScheduleNotFoundError) return undefined;
      throw error;
    });
    const state = await act(tier, handle, found);
    if (state) states.push(state);
  }
  return states;
}

/** Temporal takes no less. */
const LEAST_CATCH_UP_MS = 10_000;
/** How late one may begin, ms. */
const delaysOf = ({ backup: { schedule } }: Deployment): { jitter: number; catchUp: number } => ({
  ...{ jitter: schedule?.jitter ?? 0, catchUp: Math.max(schedule?.catchUp ?? 0, LEAST_CATCH_UP_MS) },
});

function optionsFor(deployment: Deployment, { tier, at, skip, text }: TierTimes): ScheduleOptions {
  const { name, backup } = deployment;
  const { jitter, catchUp } = delaysOf(deployment);
  const scheduleId = backupScheduleId(name, tier);
  return {
    scheduleId,
    spec: {
      calendars: [calendarOf(at)],
      skip: skip.map(calendarOf),
      jitter,
      timezone: backup.schedule?.timezone ?? 'UTC',
    },
    // One that takes longer than its interval is not followed by a queue of others.
    policies: { overlap: 'SKIP', catchupWindow: catchUp },
    action: {
      type: 'startWorkflow',
      workflowType: TYPE,
      workflowId: scheduleId,
      taskQueue: TASK_QUEUE,
      args: [{ deployment: name, tier, startedBy: 'schedule' }],
      staticSummary: `${name}: a ${tier} backup, ${text}`,
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
  { jitter, catchUp }: { jitter: number; catchUp: number },
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
      ...{ jitter, timezone: wanted.spec.timezone },
      ...{ overlap: wanted.policies?.overlap, catchUp },
      ...{ type: TYPE, id: wanted.action.workflowId, queue: wanted.action.taskQueue, args: wanted.action.args },
      summary: wanted.action.staticSummary,
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
  options: ScheduleOptions,
  act: (options: ScheduleOptions) => Promise<unknown>,
): Promise<void> {
  const { defineSearchAttributeKey, SearchAttributeType } = await import('@temporalio/common');
  const keyword = (attribute: string) => defineSearchAttributeKey(attribute, SearchAttributeType.KEYWORD);
  const typedSearchAttributes = [
    { key: keyword(searchAttributes.deployment), value: name },
    { key: keyword(searchAttributes.operation), value: TYPE },
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
  tier: BackupTier,
  times?: TierTimes,
): ScheduleState {
  const [next, last] = [info.nextActionTimes[0], info.recentActions.at(-1)];
  return {
    ...{ id, tier, change: 'none', ...(times ? { when: times.text } : {}), paused: state.paused },
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
