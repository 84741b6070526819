import { describe, expect, it } from 'vitest';
import type { TimelineEntry } from '../../../model/operation.js';
import { causeOf, nameEntry } from '../../../model/report/cause-of.js';

const base = Date.parse('2026-11-12T09:00:00Z');
const entry = (
  kind: TimelineEntry['kind'],
  text: string,
  from: number,
  to: number | undefined,
  shard: string | null = 'shard-1',
): TimelineEntry => ({
  at: new Date(base + from).toISOString(),
  ...(to === undefined ? {} : { until: new Date(base + to).toISOString() }),
  kind,
  text,
  ...(shard === null ? {} : { shard }),
});
const gap = (from: number, ms: number) => ({ shard: 'shard-1', at: base + from, ms });

describe('the cause of a gap', () => {
  const timeline = [
    entry('phase', 'rolling shards', 0, 60_000, null),
    entry('phase', 'handing over', 10_000, 20_000),
    entry('step', 'prepare', 10_000, 15_000),
    entry('handover', 'hand over a to b', 12_000, 12_100),
    entry('handover', 'hand over c to d', 12_000, 12_100, 'shard-2'),
    entry('step', 'verify', 15_000, 20_000),
    entry('phase', 'soaking', 20_000, 40_000),
  ];
  const cause = (from: number, ms: number) => causeOf(gap(from, ms), timeline)?.text;

  it('is the innermost step, not the phase or step around it', () => {
    expect(cause(12_010, 57)).toBe('hand over a to b');
  });
  it('is the handover when the gap begins with the last write before it', () => {
    expect(cause(11_980, 60)).toBe('hand over a to b');
  });
  it('is not a short step that a long gap merely touches', () => {
    expect(cause(12_050, 2000)).toBe('prepare');
  });
  it('is never a step of another shard', () => {
    expect(causeOf({ ...gap(12_010, 57), shard: 'shard-3' }, timeline)?.text).toBe('rolling shards');
  });
  it('is the phase when no step was under way', () => {
    expect(cause(30_000, 25)).toBe('soaking');
  });
  it('is unknown when nothing was recorded for that time', () => {
    expect(cause(90_000, 25)).toBeUndefined();
    expect(causeOf(gap(0, 10), [])).toBeUndefined();
  });
  it('is a step whose end was never written, until the next step begins', () => {
    const open = [entry('swap', 'swap', 0, undefined), entry('step', 'rejoin', 5000, 6000)];
    expect(causeOf(gap(3000, 100), open)?.text).toBe('swap');
    expect(causeOf(gap(7000, 100), open)).toBeUndefined();
  });
  it('names the node once', () => {
    expect(nameEntry({ ...entry('step', 'rejoin', 0, 1), node: '10.0.0.5:6379' })).toBe('rejoin (10.0.0.5:6379)');
    expect(nameEntry({ ...entry('handover', 'to 10.0.0.5:6379', 0, 1), node: '10.0.0.5:6379' })).toBe(
      'to 10.0.0.5:6379',
    );
  });
});
