import { z } from 'zod';
import { loadShape } from '../load-shape.js';

const count = z.number().min(0);
const DAY_MS = 86_400_000;

/** How much of a deployment was in use when it was assessed, and what for; kept beside the backups, so that later ones see it grow. */
export const capacityRecord = z.strictObject({
  format: z.literal(1),
  assessment: z.string(),
  at: z.iso.datetime(),
  /** Of each shard's primary; `maxMemoryBytes` 0 where there is no limit. */
  shards: z.record(z.string(), z.strictObject({ usedMemoryBytes: count, maxMemoryBytes: count, keys: count })),
  /** Connections of the node that has most, and how many a node takes; absent where the user may not ask. */
  connections: count,
  maxConnections: count.optional(),
  /** What staging plays; absent where it was not observed over time. */
  load: loadShape.optional(),
});
export type CapacityRecord = z.output<typeof capacityRecord>;

/** Where one of them goes, by a straight line through what was recorded. */
export interface Projection {
  /** `memory of shard-1`, `connections of a node`. */
  what: string;
  now: number;
  /** Absent where there is none. */
  limit?: number;
  /** A day. */
  growth: number;
  /** When the limit is reached, where it is at all, and within ten years. */
  runsOut?: string;
}

export interface Capacity {
  /** Assessments that it rests on, and over how long. */
  records: number;
  overMs: number;
  /** Empty where there is no history of a day yet. */
  projections: Projection[];
}

/** A line through less than a day is a line through one afternoon. */
const LEAST_MS = DAY_MS;
const FURTHEST_MS = 10 * 365 * DAY_MS;

/** @param records oldest first, the present one last */
export function projectCapacity(records: readonly CapacityRecord[]): Capacity {
  const [first, last] = [records.at(0), records.at(-1)];
  const overMs = first && last ? Date.parse(last.at) - Date.parse(first.at) : 0;
  const base = { records: records.length, overMs };
  if (!last || overMs < LEAST_MS) return { ...base, projections: [] };
  const memory = Object.entries(last.shards).map(([shard, { maxMemoryBytes }]) =>
    project(`memory of ${shard}`, records, (it) => it.shards[shard]?.usedMemoryBytes, maxMemoryBytes || undefined),
  );
  const connections = project('connections of a node', records, (it) => it.connections, last.maxConnections);
  return { ...base, projections: [...memory, connections] };
}

function project(
  what: string,
  records: readonly CapacityRecord[],
  pick: (record: CapacityRecord) => number | undefined,
  limit: number | undefined,
): Projection {
  const points = records.flatMap((record) => {
    const value = pick(record);
    return value === undefined ? [] : [{ at: Date.parse(record.at), value }];
  });
  const [now, perMs] = [points.at(-1) ?? { at: 0, value: 0 }, slope(points)];
  const leftMs = limit === undefined || perMs <= 0 ? Number.POSITIVE_INFINITY : Math.max(0, limit - now.value) / perMs;
  return {
    what,
    now: now.value,
    ...(limit === undefined ? {} : { limit }),
    growth: perMs * DAY_MS,
    ...(leftMs > FURTHEST_MS ? {} : { runsOut: new Date(now.at + leftMs).toISOString() }),
  };
}

/** Of the line with the least squares, by the ms. */
function slope(points: readonly { at: number; value: number }[]): number {
  const mean = (pick: (point: { at: number; value: number }) => number): number =>
    points.reduce((sum, point) => sum + pick(point), 0) / Math.max(1, points.length);
  const [t, v] = [mean(({ at }) => at), mean(({ value }) => value)];
  const spread = points.reduce((sum, { at }) => sum + (at - t) ** 2, 0);
  return spread === 0 ? 0 : points.reduce((sum, { at, value }) => sum + (at - t) * (value - v), 0) / spread;
}
