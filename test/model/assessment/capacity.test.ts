// A date at which memory runs out, drawn from one afternoon or from a limit that isn't there.
import { expect, test } from 'vitest';
import { projectCapacity, type CapacityRecord } from '../../../model/assessment/capacity.js';

const GB = 1024 ** 3;
const day = (n: number): string => new Date(Date.UTC(2026, 0, 1 + n)).toISOString();
const record = (n: number, used: number, more: Partial<CapacityRecord> = {}): CapacityRecord => ({
  ...{ format: 1, assessment: `a${n}`, at: day(n) },
  shards: { 'shard-1': { usedMemoryBytes: used, maxMemoryBytes: 10 * GB, keys: 1 } },
  ...{ connections: 100, maxConnections: 10_000 },
  ...more,
});

test('a gigabyte in ten days on the way to ten is there in fifty days', () => {
  const { projections, records, overMs } = projectCapacity([
    record(0, 4 * GB),
    record(5, 4.5 * GB),
    record(10, 5 * GB),
  ]);
  expect([records, overMs / 86_400_000]).toEqual([3, 10]);
  const [memory, connections] = projections;
  expect(memory).toMatchObject({ what: 'memory of shard-1', now: 5 * GB, limit: 10 * GB });
  expect(memory?.growth).toBeCloseTo(0.1 * GB, -3);
  expect(memory?.runsOut?.slice(0, 10)).toBe(day(60).slice(0, 10));
  expect(connections).toMatchObject({ what: 'connections of a node', growth: 0 });
  expect(connections?.runsOut).toBeUndefined();
});

test('one record, or two of one day, are no history', () => {
  expect(projectCapacity([record(0, GB)]).projections).toEqual([]);
  expect(projectCapacity([]).projections).toEqual([]);
  const later = { ...record(0, 2 * GB), at: new Date(Date.UTC(2026, 0, 1, 20)).toISOString() };
  expect(projectCapacity([record(0, GB), later]).projections).toEqual([]);
});

test('without a limit, and where it shrinks, nothing runs out; what is full has run out now', () => {
  const free = { 'shard-1': { usedMemoryBytes: 2 * GB, maxMemoryBytes: 0, keys: 1 } };
  const [unlimited] = projectCapacity([record(0, GB), record(2, 2 * GB, { shards: free })]).projections;
  expect(unlimited).not.toHaveProperty('limit');
  expect(unlimited).not.toHaveProperty('runsOut');
  const [shrinking] = projectCapacity([record(0, 3 * GB), record(2, 2 * GB)]).projections;
  expect(shrinking?.growth).toBeLessThan(0);
  expect(shrinking).not.toHaveProperty('runsOut');
  const [full] = projectCapacity([record(0, 8 * GB), record(2, 11 * GB)]).projections;
  expect(full?.runsOut).toBe(day(2));
});
