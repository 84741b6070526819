import { z } from 'zod';
import { drillPart, partText } from './drill-part.js';
import { formatDuration } from './duration.js';

const count = z.number().int().min(0);
const instant = z.iso.datetime();

/** What a drill tried, in the order in which it did. `skipped` says why it could not. */
const drillStep = z.strictObject({
  name: z.string(),
  result: z.enum(['passed', 'failed', 'skipped']),
  tookMs: count,
  /** What was found, for people: a number where there is one. */
  found: z.string(),
  /** Of a failure, how long it lasted until …; absent where it did not come so far. */
  measured: z
    .strictObject({
      /** Another node called the primary failed. */
      detectedMs: count.optional(),
      /** Its replica took a write. */
      writableMs: count.optional(),
      /** A shard that was lost served its keys again. */
      servedMs: count.optional(),
    })
    .optional(),
});

const measured = z.strictObject({ ms: count, objectiveMs: count.optional() });

/** What can be had of a deployment that is gone now, and why no more. */
const recoveryPoint = measured.extend({
  /** Who has the last of it: the archive of its streams, or the newest backup. Left out: that backup, by older records. */
  by: z.enum(['archive', 'backup']).optional(),
  /** Up to when every shard can be had. */
  reaches: instant.optional(),
});

/** What came of a drill, kept beside the backups. It holds no key and no value. */
export const drillRecord = z.strictObject({
  format: z.literal(1),
  drill: z.string(),
  deployment: z.string(),
  backup: z.string(),
  /** Where a point was restored: the backup, brought on by the archive. */
  point: z
    .strictObject({
      asked: z.string(),
      shards: z.array(z.strictObject({ shard: z.string(), offset: z.number().int(), at: instant })).min(1),
    })
    .optional(),
  /** Absent where all of it was restored. */
  part: drillPart.optional(),
  startedBy: z.string(),
  startedAt: instant,
  endedAt: instant,
  /** What the scratch cluster ran. */
  release: z.string(),
  shards: count,
  keys: count,
  /** From nothing to a cluster that serves every key and takes writes. Absent where it did not come so far. */
  recoveryTime: measured.optional(),
  /** What would be lost, were the deployment gone when the drill began: how old the last is that can be had. */
  recoveryPoint,
  /** By an estimate, and what was free on the worker's machine. Bytes. */
  memory: z.strictObject({ neededBytes: count, freeBytes: count }).optional(),
  steps: z.array(drillStep).min(1),
  passed: z.boolean(),
});

export type RecoveryPointFound = Required<Pick<z.output<typeof recoveryPoint>, 'ms' | 'by' | 'reaches'>>;
export type DrillStep = z.output<typeof drillStep>;
export type DrillRecord = z.output<typeof drillRecord>;

const DRILLS = 'drills';
export const drillObject = (deployment: string, drill: string): string => `${deployment}/${DRILLS}/${drill}.json`;
export const drillsPrefix = (deployment: string): string => `${deployment}/${DRILLS}/`;

/** Measured against what the deployment file asks for; a step of its own, so that a miss is seen where the rest is. */
export function objectiveStep(
  name: 'recovery time' | 'recovery point',
  ms: number | undefined,
  objectiveMs: number | undefined,
  { part = false }: { part?: boolean } = {},
): DrillStep {
  const of = `objective ${name}`;
  if (ms === undefined) return { name: of, result: 'failed', tookMs: 0, found: 'nothing was recovered' };
  const found = `${formatDuration(ms)}${part ? ' for a part of the deployment' : ''}`;
  if (objectiveMs === undefined)
    return { name: of, result: 'skipped', tookMs: 0, found: `${found}; no objective in the deployment file` };
  const met = ms <= objectiveMs;
  if (met && part)
    return {
      ...{ name: of, result: 'skipped', tookMs: 0 },
      found: `${found}; the ${formatDuration(objectiveMs)} of drill.objectives are for all of it`,
    };
  return {
    ...{ name: of, result: met ? 'passed' : 'failed', tookMs: 0 },
    found: `${found}, ${met ? 'within' : 'more than'} the ${formatDuration(objectiveMs)} of drill.objectives`,
  };
}

/** What a drill says with its heartbeats. */
export interface DrillBeat {
  /** As a person is told: the step that is under way, or how far it is. */
  doing: string;
  /** Those that have ended. */
  steps: Pick<DrillStep, 'name' | 'result'>[];
}

export const failedSteps = ({ steps }: Pick<DrillRecord, 'steps'>): DrillStep[] =>
  steps.filter(({ result }) => result === 'failed');

/** Nothing failed, and something was recovered. */
export const passed = (steps: readonly DrillStep[]): boolean =>
  steps.every(({ result }) => result !== 'failed') &&
  steps.some(({ name, result }) => name === 'restore' && result === 'passed');

/** One that can't be read, by its id. */
export type ListedDrill = DrillRecord | { drill: string; problem: string };

/**
 * Why somebody has to look at a deployment's drills; undefined where nobody has to.
 *
 * @param drills the newest first
 * @param options.now Unix ms
 * @param options.everyMs how often one is to be held; twice as long without one is too long
 */
export function drillsProblem(
  [newest]: readonly ListedDrill[],
  { now, everyMs }: { now: number; everyMs?: number | undefined },
): string | undefined {
  if (!newest) return 'no drill was held';
  if ('problem' in newest) return `the newest drill can't be read: ${newest.problem}`;
  if (!newest.passed)
    return `the newest drill failed: ${failedSteps(newest)
      .map(({ name }) => name)
      .join(', ')}`;
  const age = now - Date.parse(newest.startedAt);
  if (everyMs === undefined || age <= 2 * everyMs) return undefined;
  return `the newest drill was held ${formatDuration(age)} ago, and drill.schedule asks for one every ${formatDuration(everyMs)}`;
}

export interface Trend {
  drills: number;
  failed: number;
  /**
   * Of the newest, and how many times as long as the median of those before it that restored as large a part; undefined where
   * there are none.
   */
  recoveryTimeMs?: number;
  times?: number;
}

/** Where recovery goes, over the drills that came to an end. @param drills the newest first */
export function trendOf(drills: readonly Pick<DrillRecord, 'recoveryTime' | 'passed' | 'part'>[]): Trend {
  const failed = drills.filter((it) => !it.passed).length;
  const [last, ...others] = drills.filter(({ recoveryTime }) => recoveryTime !== undefined);
  const newest = last?.recoveryTime?.ms;
  if (newest === undefined) return { drills: drills.length, failed };
  const before = others
    .filter((it) => shareOf(it) === shareOf(last))
    .flatMap(({ recoveryTime }) => recoveryTime?.ms ?? []);
  const sorted = before.sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  return {
    ...{ drills: drills.length, failed, recoveryTimeMs: newest },
    ...(median === undefined || median === 0 ? {} : { times: newest / median }),
  };
}

/** Percent of the slots that were restored. */
export const shareOf = (drill: Pick<DrillRecord, 'part'> | undefined): number =>
  Math.round(100 * (drill?.part?.share ?? 1));

/** `backup 2026… and the archive behind it (the state of …), 1,204 keys of 3 shards` */
export function restoredText({ backup, point, part, keys, shards }: Omit<DrillRecord, 'steps'>): string {
  const archived = point ? ` and the archive behind it (${point.asked})` : '';
  const of = part ? partText(part) : `${shards} ${shards === 1 ? 'shard' : 'shards'}`;
  return `backup ${backup}${archived}, ${keys.toLocaleString('en')} keys of ${of}`;
}
