import { describe, expect, it } from 'vitest';
import type { TimelineEntry } from '../../../model/operation.js';
import { nameOf, spansOf } from '../../../model/report/spans.js';

const base = Date.parse('2026-11-12T09:00:00Z');
const entry = (
  at: number,
  kind: TimelineEntry['kind'],
  text: string,
  more: Partial<TimelineEntry> = {},
): TimelineEntry => ({
  at: new Date(base + at).toISOString(),
  kind,
  text,
  ...more,
});
const until = (at: number) => ({ until: new Date(base + at).toISOString() });
const drawn = (timeline: TimelineEntry[], end = 100) =>
  spansOf(timeline, base + end).map((span) => [nameOf(span.entry), span.from - base, span.to - base, span.open]);

describe('the extent of what was recorded', () => {
  it('is not cut short by what children say of themselves', () => {
    const family = [
      entry(0, 'phase', 'assessing: reading orders'),
      entry(10, 'phase', 'rolling shards: 2 shards'),
      entry(11, 'phase', 'assessing: reading shard-1'),
      entry(20, 'phase', 'completed: every node'),
      entry(21, 'phase', 'assessing: reading shard-2'),
    ];
    expect(drawn(family)).toEqual([
      ['assessing', 0, 10, false],
      ['rolling shards', 10, 100, true],
    ]);
    const ended = [
      ...family,
      entry(30, 'phase', 'completed: every node'),
      entry(31, 'phase', 'validating: every replica'),
      entry(40, 'phase', 'completed: every node'),
    ];
    expect(drawn(ended)).toEqual([
      ['assessing', 0, 10, false],
      ['rolling shards', 10, 31, false],
      ['validating', 31, 40, false],
      ['completed', 40, 40, false],
    ]);
  });

  it('ends a shard’s last phase with the last thing that was done in it', () => {
    const shard = { shard: 'shard-1' };
    const timeline = [
      entry(0, 'phase', 'upgrading old primary: a', shard),
      entry(5, 'step', 'verify', { ...shard, ...until(9) }),
      entry(20, 'phase', 'soaking: all'),
    ];
    expect(drawn(timeline)[0]).toEqual(['upgrading old primary', 0, 9, false]);
    expect(drawn([...timeline, entry(8, 'swap', 'start', shard)])[0]).toEqual(['upgrading old primary', 0, 100, true]);
  });

  it('lets a gate that blocks last until it clears, and not beyond', () => {
    const shard = { shard: 'shard-1' };
    expect(
      drawn([
        entry(0, 'gate', 'lag: waits: 2 MB behind', shard),
        entry(7, 'gate', 'lag passes now', shard),
        entry(60, 'step', 'save', { ...shard, ...until(61) }),
      ]),
    ).toEqual([
      ['lag: waits: 2 MB behind', 0, 7, false],
      ['lag passes now', 7, 7, false],
      ['save', 60, 61, false],
    ]);
  });
});
