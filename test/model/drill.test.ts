import { describe, expect, test } from 'vitest';
import { drillsProblem, objectiveStep, passed, trendOf, type DrillRecord, type DrillStep } from '../../model/drill.js';

const step = (name: string, result: DrillStep['result']): DrillStep => ({ name, result, tookMs: 1, found: '' });
const drill = (ms: number | undefined, ok = true) => ({
  passed: ok,
  ...(ms === undefined ? {} : { recoveryTime: { ms } }),
});

describe('an objective', () => {
  test('is met to the last moment, and missed after it', () => {
    expect(objectiveStep('recovery time', 60_000, 60_000)).toMatchObject({
      result: 'passed',
      found: '1 min, within the 1 min of drill.objectives',
    });
    expect(objectiveStep('recovery time', 60_001, 60_000).result).toBe('failed');
  });
  test('that nobody set judges nothing, and still tells the number', () => {
    expect(objectiveStep('recovery point', 90_000, undefined)).toMatchObject({
      name: 'objective recovery point',
      result: 'skipped',
      found: expect.stringContaining('no objective') as string,
    });
  });
  test('is missed where nothing was recovered, whatever it is', () => {
    expect(objectiveStep('recovery time', undefined, 3_600_000).result).toBe('failed');
    expect(objectiveStep('recovery time', undefined, undefined).result).toBe('failed');
  });
});

describe('a drill', () => {
  test('has passed where nothing failed, steps that could not be tried among them', () => {
    expect(passed([step('restore', 'passed'), step('a primary dies', 'skipped')])).toBe(true);
  });
  test('has failed with any step of it', () => {
    expect(passed([step('restore', 'passed'), step('check cart', 'failed')])).toBe(false);
  });
  test('that restored nothing has not passed', () => {
    expect(passed([step('verify', 'skipped')])).toBe(false);
    expect(passed([])).toBe(false);
  });
});

describe('the trend', () => {
  test('holds the newest against the median of those before it', () => {
    expect(trendOf([drill(300), drill(100), drill(900), drill(200)])).toEqual({
      ...{ drills: 4, failed: 0, recoveryTimeMs: 300, times: 1.5 },
    });
  });
  test('leaves out those that recovered nothing, and counts what failed', () => {
    expect(trendOf([drill(200), drill(undefined, false), drill(100)])).toEqual({
      ...{ drills: 3, failed: 1, recoveryTimeMs: 200, times: 2 },
    });
  });
  test('says nothing of one alone, nor of none', () => {
    expect(trendOf([drill(100)])).toEqual({ drills: 1, failed: 0, recoveryTimeMs: 100 });
    expect(trendOf([])).toEqual({ drills: 0, failed: 0 });
  });
});

describe('somebody has to look', () => {
  const now = Date.parse('2026-11-30T04:00:00Z');
  const held = (daysAgo: number, ...failed: string[]): DrillRecord =>
    ({
      startedAt: new Date(now - daysAgo * 86_400_000).toISOString(),
      passed: failed.length === 0,
      steps: [step('restore', 'passed'), ...failed.map((name) => step(name, 'failed'))],
    }) as DrillRecord;
  const week = { now, everyMs: 7 * 86_400_000 };
  test('where none was held, the newest failed, or can’t be read', () => {
    expect(drillsProblem([], week)).toBe('no drill was held');
    expect(drillsProblem([held(1, 'verify', 'check cart'), held(8)], week)).toContain('failed: verify, check cart');
    expect(drillsProblem([{ drill: 'one', problem: 'it is cut' }, held(8)], week)).toContain('it is cut');
  });
  test('where two are missing, and not before', () => {
    expect(drillsProblem([held(14)], week)).toBeUndefined();
    expect(drillsProblem([held(14.1)], week)).toContain('14 d');
    expect(drillsProblem([held(400)], { now })).toBeUndefined();
  });
  test('but not where one failed before the newest', () => {
    expect(drillsProblem([held(1), held(8, 'verify')], week)).toBeUndefined();
  });
});
