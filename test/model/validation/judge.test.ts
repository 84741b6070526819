// An upgrade that every gate let through, and since which each HGETALL takes the server four times as long.
import { expect, test } from 'vitest';
import { judge, validationVerdict } from '../../../model/validation/judge.js';
import { countersOf, measured, type Counters, type Measurement } from '../../../model/validation/measurement.js';
import { validationPolicy } from '../../../model/validation/policy.js';

const policy = validationPolicy.parse({});
const at = (second: number): number => Date.UTC(2026, 10, 30, 8, 0, second);
const counters = (node: string, more: Partial<Counters> = {}): Counters => ({
  ...{ node, runId: `run of ${node}`, commands: {}, processed: 0, errors: 0, hits: 0, misses: 0 },
  ...{ memoryBytes: 1024 ** 2, keys: 1000, cpuSeconds: 0, ...more },
});
const measurement = (more: Partial<Measurement> = {}): Measurement => ({
  ...{ from: '', until: '', ms: 10_000, primaries: 3, operationsPerSecond: 1000, errorRate: 0, hitRate: 0.9 },
  ...{
    memoryBytes: 1024 ** 3,
    keys: 1_000_000,
    cores: 1,
    commands: { get: { calls: 5000, usecPerCall: 90 } },
    notes: [],
  },
  clients: { p99: 4 },
  ...more,
});
const missed = (before: Measurement, after: Measurement): string[] =>
  judge(before, after, policy).flatMap(({ measure, verdict }) => (verdict === 'missed' ? [measure] : []));

test('what INFO tells of a server is read, operators’ own commands left out, whatever the release calls them', () => {
  const info = {
    ...{ run_id: 'r', total_commands_processed: '500', keyspace_hits: '90', keyspace_misses: '10' },
    ...{ used_memory: '1000', used_cpu_user: '1.5', used_cpu_sys: '0.5' },
    ...{ db0: 'keys=40,expires=3,avg_ttl=0', db7: 'keys=2,expires=0,avg_ttl=0' },
    cmdstat_get: 'calls=300,usec=600,usec_per_call=2.00,rejected_calls=0,failed_calls=0',
    cmdstat_INFO: 'calls=9,usec=900,usec_per_call=100.00',
    'cmdstat_config|get': 'calls=3,usec=30,usec_per_call=10.00',
    'cmdstat_xgroup|create': 'calls=2,usec=20,usec_per_call=10.00',
  };
  expect(countersOf('10.0.0.4:6379', info)).toEqual({
    ...{ node: '10.0.0.4:6379', runId: 'r', processed: 500, errors: undefined, hits: 90, misses: 10 },
    ...{ memoryBytes: 1000, keys: 42, cpuSeconds: 2 },
    commands: { get: { calls: 300, usec: 600 }, 'xgroup|create': { calls: 2, usec: 20 } },
  });
  expect(countersOf('a', { ...info, total_error_replies: '7' }).errors).toBe(7);
});

test('between two looks all primaries together are measured, by calls, and not by what was before', () => {
  const get = (calls: number, usec: number) => ({ get: { calls, usec } });
  const before = [
    counters('a', { commands: get(1_000_000, 90_000_000), processed: 1_000_000, hits: 10 }),
    counters('b', { commands: get(0, 0) }),
  ];
  const after = [
    counters('a', { commands: get(1_000_900, 90_009_000), processed: 1_001_000, errors: 5, hits: 100, misses: 10 }),
    counters('b', { commands: get(100, 2000), processed: 1000, cpuSeconds: 5 }),
  ];
  expect(measured(before, after, { from: at(0), until: at(10) })).toMatchObject({
    ...{ ms: 10_000, primaries: 2, operationsPerSecond: 200, errorRate: 5 / 2000, hitRate: 0.9, cores: 0.5 },
    ...{ commands: { get: { calls: 1000, usecPerCall: 11 } }, memoryBytes: 2 * 1024 ** 2, keys: 2000 },
    notes: ['the probe measured nothing meanwhile'],
  });
});

test('a server that was restarted meanwhile, and one that became primary, are said and not counted; nobody divides by nothing', () => {
  const found = measured(
    [counters('a', { processed: 900 })],
    [counters('a', { runId: 'another', processed: 5 }), counters('b', { processed: 9 })],
    { from: at(0), until: at(10) },
  );
  expect(found).toMatchObject({ primaries: 0, operationsPerSecond: 0 });
  expect(found).not.toHaveProperty('errorRate');
  expect(found).not.toHaveProperty('hitRate');
  expect(found.notes.slice(0, 2)).toEqual([
    'a was restarted meanwhile: it is not counted',
    'b was not primary yet meanwhile: it is not counted',
  ]);
});

test('each measure is missed by what is worse than the policy allows, and by nothing that is not', () => {
  const before = measurement();
  expect(missed(before, before)).toEqual([]);
  const slower = (usecPerCall: number, calls = 5000) => measurement({ commands: { get: { calls, usecPerCall } } });
  expect(missed(before, slower(181))).toEqual(['time of get']);
  expect(missed(before, slower(179))).toEqual([]);
  // Few calls say little, and a command that takes next to nothing may take twice as much of it.
  expect(missed(before, slower(900, 99))).toEqual([]);
  expect(missed(slower(10), slower(99))).toEqual([]);
  const clients = (p99: number) => measurement({ clients: { p99 } });
  expect(missed(before, clients(8.1))).toEqual(['latency of clients, 99th percentile']);
  expect(missed(clients(0.5), clients(4.9))).toEqual([]);
  expect(missed(before, measurement({ operationsPerSecond: 99 }))).toEqual(['throughput']);
  expect(missed(before, measurement({ hitRate: 0.84 }))).toEqual(['hit rate']);
  expect(missed(before, measurement({ errorRate: 0.002 }))).toEqual(['error rate']);
  const memory = (gigabytes: number, keys = 1_000_000) => measurement({ memoryBytes: gigabytes * 1024 ** 3, keys });
  expect(missed(before, memory(1.6))).toEqual(['memory for each key']);
  // What clients wrote meanwhile takes its memory, and next to nothing may be any number of times what it was.
  expect(missed(before, memory(1.6, 1_500_000))).toEqual([]);
  expect(missed(memory(0.1), memory(0.7))).toEqual([]);
});

test('what was not measured is unknown, says why, and is no success', () => {
  const less = measurement();
  delete less.errorRate;
  delete less.clients;
  const measures = judge(less, measurement(), policy);
  expect(measures.filter(({ verdict }) => verdict === 'unknown').map(({ measure, limit }) => [measure, limit])).toEqual(
    [
      ['latency of clients, 99th percentile', 'the probe measured nothing'],
      ['error rate', 'not counted before 6.2'],
    ],
  );
});

test('the verdict names what was missed with its figures and what was allowed, and each check that failed', () => {
  const measures = judge(measurement(), measurement({ hitRate: 0.5 }), policy);
  const failed = { check: 'cart', result: 'failed' as const, tookMs: 9, found: 'exit code 1: 3 carts broken' };
  expect(validationVerdict({ measures, checks: [] })).toMatchObject({
    state: 'fail',
    reason: 'hit rate 90.00 % → 50.00 % (allowed: at most 5.00 % less)',
    clears: expect.stringContaining('`rollout fallback` takes the upgrade back') as string,
  });
  expect(validationVerdict({ measures: [], checks: [failed] })).toMatchObject({
    state: 'fail',
    reason: 'check cart: exit code 1: 3 carts broken',
  });
  expect(validationVerdict({ measures: judge(measurement(), measurement(), policy), checks: [] })).toEqual({
    state: 'pass',
    reason: '6 measures, 0 checks: none missed, none failed',
  });
});
