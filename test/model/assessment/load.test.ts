// A load that is not the deployment's would call a staging good that says nothing.
import { expect, test } from 'vitest';
import { loadOf } from '../../../model/assessment/load.js';
import { loadShape } from '../../../model/load-shape.js';
import { evidenceOf } from './evidence.js';

const observed = (overMs: number, during: Record<string, number>) => {
  const evidence = evidenceOf();
  const none = { bytes: 0, expiring: 0, types: {}, encodings: {}, big: [], hot: [] };
  const patterns = { 'cart:#:line:#': { keys: 9, bytes: 900 }, flags: { keys: 1, bytes: 50 } };
  const keys = { ...none, shard: 'shard-1', node: 'a:1', keys: 500, looked: 10, patterns, sizes: { 100: 9, 1000: 1 } };
  return {
    ...evidence,
    usage: {
      ...evidence.usage,
      overMs,
      commands: Object.entries(during).map(([name, count]) => ({ name, calls: count * 10, during: count })),
    },
    survey: { ...evidence.survey, keys: [keys] },
  };
};

test('what was called meanwhile, as shares and a rate; what touches no key is no load', () => {
  const shape = loadOf(observed(10_000, { get: 750, set: 250, ping: 9000, config: 3 }));
  expect(loadShape.safeParse(shape).success).toBe(true);
  expect(shape).toMatchObject({
    ...{ readShare: 0.75, ratePerSecond: 100 },
    commands: [
      { name: 'get', share: 0.75 },
      { name: 'set', share: 0.25 },
    ],
    keys: { pattern: 'cart:*:line:0', count: 500 },
    valueSizes: [
      { upTo: 100, share: 0.9 },
      { upTo: 1000, share: 0.1 },
    ],
  });
});

test('without an observation, or without a call, there is none', () => {
  expect(loadOf(observed(0, { get: 10 }))).toBeUndefined();
  expect(loadOf(observed(10_000, { ping: 10 }))).toBeUndefined();
});
