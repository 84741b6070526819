// A fault comes at its step: not before, and not at somebody else's.
import { expect, test } from 'vitest';
import type { TimelineEntry } from '../../model/operation.js';
import { momentIn } from '../../scripts/chaos/moments.js';

const entry = (n: number, text: string, more: Partial<TimelineEntry> = {}): TimelineEntry => ({
  at: new Date(n * 1000).toISOString(),
  kind: 'step',
  text,
  node: `n${n}`,
  ...more,
});
const over = { until: new Date(60_000).toISOString() };

test('the nth of a step, over all starts', () => {
  const first = [entry(1, 'save', over), entry(2, 'start 8.0.6', { kind: 'swap', ...over })];
  const second = [entry(3, 'save'), entry(4, 'hand over to n1', { kind: 'handover' })];
  expect(momentIn({ step: 'save', nth: 1, edge: 'begins' }, [first, second])?.node).toBe('n1');
  expect(momentIn({ step: 'save', nth: 2, edge: 'begins' }, [first, second])?.node).toBe('n3');
  expect(momentIn({ step: 'save', nth: 3, edge: 'begins' }, [first, second])).toBeUndefined();
  expect(momentIn({ step: 'start', nth: 1, edge: 'ends' }, [first, second])?.node).toBe('n2');
  expect(momentIn({ step: 'hand over', nth: 1, edge: 'begins' }, [first, second])?.node).toBe('n4');
});

test('a step that runs has begun and not ended', () => {
  const timeline = [[entry(1, 'rejoin')]];
  expect(momentIn({ step: 'rejoin', nth: 1, edge: 'begins' }, timeline)).toBeDefined();
  expect(momentIn({ step: 'rejoin', nth: 1, edge: 'ends' }, timeline)).toBeUndefined();
});

test('a failure that names the step is not the step', () => {
  const timeline = [[entry(1, 'save: no space', { kind: 'failure' })]];
  expect(momentIn({ step: 'save', nth: 1, edge: 'begins' }, timeline)).toBeUndefined();
});

test('a phase ends with the next one', () => {
  const canary = entry(1, 'canary: n1 is the canary', { kind: 'phase' });
  const next = entry(2, 'rolling shards: the others', { kind: 'phase' });
  expect(momentIn({ step: 'canary', nth: 1, edge: 'begins' }, [[canary]])).toBeDefined();
  expect(momentIn({ step: 'canary', nth: 1, edge: 'ends' }, [[canary]])).toBeUndefined();
  expect(momentIn({ step: 'canary', nth: 1, edge: 'ends' }, [[canary, next]])).toBeDefined();
});
