import { z } from 'zod';
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
});

const measured = z.strictObject({ ms: count, objectiveMs: count.optional() });

/** What came of a drill, kept beside the backups. It holds no key and no value. */
export const drillRecord = z.strictObject({
  format: z.literal(1),
  drill: z.string(),
  deployment: z.string(),
  backup: z.string(),
  startedBy: z.string(),
  startedAt: instant,
  endedAt: instant,
  /** What the scratch cluster ran. */
  release: z.string(),
  shards: count,
  keys: count,
  /** From nothing to a cluster that serves every key and takes writes. Absent where it did not come so far. */
  recoveryTime: measured.optional(),
  /** What would be lost, were the deployment gone when the drill began: the age of the backup's first cut. */
  recoveryPoint: measured,
  steps: z.array(drillStep).min(1),
  passed: z.boolean(),
});

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
): DrillStep {
  const of = `objective ${name}`;
  if (ms === undefined) return { name: of, result: 'failed', tookMs: 0, found: 'nothing was recovered' };
  const found = formatDuration(ms);
  if (objectiveMs === undefined)
    return { name: of, result: 'skipped', tookMs: 0, found: `${found}; no objective in the deployment file` };
  const met = ms <= objectiveMs;
  return {
    ...{ name: of, result: met ? 'passed' : 'failed', tookMs: 0 },
    found: `${found}, ${met ? 'within' : 'more than'} the ${formatDuration(objectiveMs)} of drill.objectives`,
  };
}

/** Nothing failed, and something was recovered. */
export const passed = (steps: readonly DrillStep[]): boolean =>
  steps.every(({ result }) => result !== 'failed') &&
  steps.some(({ name, result }) => name === 'restore' && result === 'passed');

export interface Trend {
  drills: number;
  failed: number;
  /** Of the newest, and how many times as long as the median of those before it; undefined where there are none. */
  recoveryTimeMs?: number;
  times?: number;
}

/** Where recovery goes, over the drills that came to an end. @param drills the newest first */
export function trendOf(drills: readonly Pick<DrillRecord, 'recoveryTime' | 'passed'>[]): Trend {
  const failed = drills.filter((it) => !it.passed).length;
  const [newest, ...before] = drills.flatMap(({ recoveryTime }) => recoveryTime?.ms ?? []);
  if (newest === undefined) return { drills: drills.length, failed };
  const sorted = before.sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  return {
    ...{ drills: drills.length, failed, recoveryTimeMs: newest },
    ...(median === undefined || median === 0 ? {} : { times: newest / median }),
  };
}
