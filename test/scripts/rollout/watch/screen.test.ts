import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OperationStatus, ShardStatus } from '../../../../model/operation.js';
import { painter } from '../../../../scripts/rollout/terminal.js';
import { screenLines } from '../../../../scripts/rollout/watch/screen.js';

const at = '2026-11-21T10:00:00.000Z';
const now = Date.parse(at) + 65_000;

const shard = (n: number, state: ShardStatus['state']): ShardStatus => ({
  shard: `shard-${n}`,
  state,
  phase: state === 'in progress' ? 'handing over' : 'waiting',
  nodes: [
    { address: `10.0.0.${n}:6379`, role: 'primary', release: '5.0.6', state: 'waiting' },
    { address: `10.0.1.${n}:6379`, role: 'replica', release: '8.0.6', state: 'in progress', step: 'rejoin' },
  ],
});

const status = (shards: ShardStatus[]): OperationStatus => ({
  deployment: 'orders',
  operation: 'upgrade',
  workflowId: 'redis/orders',
  from: '5.0.6',
  to: '8.0.6',
  phase: 'rolling shards',
  reason: 'one shard at a time, the canary first, each with its approvals and its gates',
  startedAt: at,
  startedBy: 'ana',
  progress: { upgraded: 1, nodes: shards.length * 2 },
  waiting: [
    {
      kind: 'approval',
      name: 'handover',
      reason: 'May shard-7 be handed over?',
      since: at,
      clears: 'one approves',
      command: 'rollout approve orders --approval handover --as you@example.com',
    },
  ],
  shards,
  children: [],
  approvals: [],
  gates: [],
  artefacts: '',
});

const view = (count: number, busy: number) => ({
  status: status(Array.from({ length: count }, (_, i) => shard(i, i === busy ? 'in progress' : 'waiting'))),
  retries: [],
  timeline: Array.from({ length: 40 }, (_, i) => ({
    at,
    kind: 'step' as const,
    text: `step ${i} of a long line of steps, each with words enough`,
  })),
});

test('whatever the size of the terminal, nothing is drawn outside of it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 250 }),
      fc.integer({ min: 1, max: 80 }),
      fc.integer({ min: 1, max: 60 }),
      fc.boolean(),
      (columns, rows, shards, troubled) => {
        const lines = screenLines({
          view: view(shards, 0),
          trouble: troubled ? { since: now - 9000, why: 'no worker answers' } : undefined,
          title: 'orders',
          paint: painter({ isTTY: true }, { TERM: 'xterm' }),
          now,
          columns,
          rows,
        });
        expect(lines.length).toBeLessThanOrEqual(rows);
        for (const line of lines) {
          expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(columns);
          expect(line).not.toContain('\n');
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('of many shards the one that something happens to is on the screen, the others are counted', () => {
  const text = screenLines({
    view: view(200, 173),
    trouble: undefined,
    title: 'orders',
    paint: painter({}, {}),
    now,
    columns: 100,
    rows: 24,
  }).join('\n');
  expect(text).toContain('shard-173');
  expect(text).toContain('rollout approve orders --approval handover --as you@example.com');
  expect(text).toMatch(/and \d+ more: 1 in progress, 199 waiting/);
});

test('a view that is out of date says since when and why', () => {
  const lines = screenLines({
    view: view(1, 0),
    trouble: { since: now - 9000, why: 'no worker answers' },
    title: 'orders',
    paint: painter({}, {}),
    now,
    columns: 100,
    rows: 40,
  });
  expect(lines.at(-2)).toBe('Not up to date since 9 s: no worker answers');
});
