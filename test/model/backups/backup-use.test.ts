// A backup that is kept for a restore that nobody makes any more, or is not kept for one that goes on.
import { expect, test } from 'vitest';
import { stillUsed } from '../../../model/backup-use.js';

const NOW = Date.parse('2026-11-30T03:00:00Z');
const DAY = 86_400_000;
const use = (ago: number) => ({ workflowId: 'redis/orders-copy', seenAt: NOW - ago });

test('it stays while the run lasts, however long, and not a moment longer', () => {
  expect(stillUsed(use(100 * DAY), 'running', NOW)).toBe('redis/orders-copy is reading it');
  expect(stillUsed(use(0), 'ended', NOW)).toBeUndefined();
});

test('for a run that this Temporal does not know it stays for eight days', () => {
  expect(stillUsed(use(DAY), 'unknown', NOW)).toBe(
    'redis/orders-copy may be reading it until 2026-12-07T03:00:00.000Z: this Temporal does not know its run',
  );
  expect(stillUsed(use(8 * DAY), 'unknown', NOW)).toBeUndefined();
});
