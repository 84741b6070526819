import type { CheckResult } from '../checks.js';
import { formatDuration, formatSize } from '../duration.js';
import { fail, pass, type Verdict } from '../verdict.js';
import type { Measurement } from './measurement.js';
import type { ValidationPolicy } from './policy.js';

/** One thing that was measured before and after, and held against the policy. */
export interface Measure {
  /** `throughput`, `time of get`, … */
  measure: string;
  verdict: 'met' | 'missed' | 'unknown';
  /** For people, with their unit; absent where it was not measured. */
  before?: string;
  after?: string;
  /** What was allowed, in words; of an unknown one, why it is that. */
  limit: string;
}

/** What the upgraded deployment was found to be like, beside what it was. */
export interface ValidationRecord {
  baseline?: Measurement;
  after?: Measurement;
  measures: Measure[];
  checks: CheckResult[];
}

interface Compared {
  measure: string;
  before: number | undefined;
  after: number | undefined;
  shown: (value: number) => string;
  limit: string;
  holds: (before: number, after: number) => boolean;
  unknown: string;
}

const percent = (value: number): string => `${(value * 100).toFixed(2)} %`;
const microseconds = (value: number): string => `${value.toFixed(1)} µs`;
const perSecond = (value: number): string => `${Math.round(value).toLocaleString('en')}/s`;
const milliseconds = (value: number): string => `${value.toFixed(2)} ms`;

/** Each measure with its verdict, those that were missed first. */
export function judge(before: Measurement, after: Measurement, policy: ValidationPolicy): Measure[] {
  const compared: Compared[] = [
    {
      measure: 'latency of clients, 99th percentile',
      ...{ before: before.clients?.p99, after: after.clients?.p99, shown: milliseconds },
      limit: `${policy.latency} times what it was, or ${formatDuration(policy.leastLatency)}`,
      holds: (was, is) => is <= Math.max(was * policy.latency, policy.leastLatency),
      unknown: 'the probe measured nothing',
    },
    {
      ...{ measure: 'throughput', before: before.operationsPerSecond, after: after.operationsPerSecond },
      ...{ shown: perSecond, limit: `at least ${percent(policy.throughput)} of what it was`, unknown: '' },
      holds: (was, is) => is >= was * policy.throughput,
    },
    {
      ...{ measure: 'hit rate', before: before.hitRate, after: after.hitRate, shown: percent },
      ...{ limit: `at most ${percent(policy.hitRate)} less`, unknown: 'no key was looked up' },
      holds: (was, is) => is >= was - policy.hitRate,
    },
    {
      ...{ measure: 'error rate', before: before.errorRate, after: after.errorRate, shown: percent },
      ...{ limit: `at most ${percent(policy.errorRate)} more`, unknown: 'not counted before 6.2' },
      holds: (was, is) => is <= was + policy.errorRate,
    },
    {
      ...{
        measure: 'memory for each key',
        before: memoryForEachKey(before),
        after: memoryForEachKey(after),
        shown: formatSize,
      },
      limit: `${policy.memory} times what it was, or ${formatSize(policy.leastMemory)} of a primary in all`,
      unknown: 'there are no keys',
      holds: (was, is) => is <= was * policy.memory || after.memoryBytes <= policy.leastMemory * after.primaries,
    },
    ...commandTimes(before, after, policy),
  ];
  const severity = { missed: 0, unknown: 1, met: 2 };
  return compared.map(measureOf).sort((a, b) => severity[a.verdict] - severity[b.verdict]);
}

/** What clients add meanwhile is no fault of the release. */
const memoryForEachKey = ({ memoryBytes, keys = 0 }: Measurement): number | undefined =>
  keys === 0 ? undefined : memoryBytes / keys;

/** Of every command that was called often enough to say anything, before and after. */
function commandTimes(before: Measurement, after: Measurement, policy: ValidationPolicy): Compared[] {
  return Object.entries(after.commands).flatMap(([name, now]) => {
    const was = before.commands[name];
    if (!was || Math.min(was.calls, now.calls) < policy.leastCalls) return [];
    return [
      {
        ...{ measure: `time of ${name}`, before: was.usecPerCall, after: now.usecPerCall, shown: microseconds },
        limit: `${policy.commandTime} times what it was, or ${microseconds(policy.leastCommandTime)}`,
        holds: (a: number, b: number) => b <= Math.max(a * policy.commandTime, policy.leastCommandTime),
        unknown: '',
      },
    ];
  });
}

function measureOf({ measure, before, after, shown, limit, holds, unknown }: Compared): Measure {
  const values = {
    ...(before === undefined ? {} : { before: shown(before) }),
    ...(after === undefined ? {} : { after: shown(after) }),
  };
  if (before === undefined || after === undefined) return { measure, verdict: 'unknown', ...values, limit: unknown };
  return { measure, verdict: holds(before, after) ? 'met' : 'missed', ...values, limit };
}

/** Is the upgraded deployment what it was, and what the application needs? */
export function validationVerdict({ measures, checks }: ValidationRecord): Verdict {
  const missed = measures.filter(({ verdict }) => verdict === 'missed');
  const failed = checks.filter(({ result }) => result === 'failed');
  if (missed.length === 0 && failed.length === 0)
    return pass(`${measures.length} measures, ${checks.length} checks: none missed, none failed`);
  const said = [
    ...missed.map(
      ({ measure, before = '', after = '', limit }) => `${measure} ${before} → ${after} (allowed: ${limit})`,
    ),
    ...failed.map(({ check, found }) => `check ${check}: ${found}`),
  ];
  return fail(
    said.join('; '),
    'measured and checked anew it is within policy.validation, or somebody overrides it; `rollout fallback` takes the upgrade back',
  );
}
