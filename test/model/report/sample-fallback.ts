import type { CutoverRecord } from '../../../model/evidence.js';
import type { FollowState } from '../../../model/follow-state.js';
import type { ReportData } from '../../../model/report.js';
import { sampleReport } from './sample.js';

const begun = '2026-11-12T09:20:00.000Z';
const standbyOf = (n: number): string => `10.20.0.${n + 10}:7379`;

/** The sample's upgrade, taken back in its soak: one shard of three has what 5.0 can't hold, another was interrupted. */
export function sampleFallback(): ReportData {
  const data = sampleReport({ outcome: 'completed' });
  const numbers = [1, 2, 3];
  Object.assign(data.status, {
    result: 'fell back',
    phase: 'fell back',
    statement: 'shard-1, shard-2, shard-3 of orders are back on 5.0.6: all 6 nodes, as ana asked for.',
    endedAt: '2026-11-12T09:20:42.000Z',
  });
  data.status.fallback = {
    ...{ policy: 'standby', class: 'lossless-except', since: '2026-11-12T09:19:00.000Z', standbys: [] },
    reason: 'all but what 5.0.6 can’t hold: field TTLs (1,204), vector sets (1)',
  };
  data.incidents = [
    {
      ...{ by: 'ana', reason: 'checkout is slower', from: '8.0.6', to: '5.0.6', class: 'lossless-except' },
      ...{ at: begun, endedAt: '2026-11-12T09:20:42.000Z' },
      shards: numbers.map((n) => ({ shard: `shard-${n}`, ms: n === 1 ? 12_000 : 15_000, nodes: 2, cutoverGapMs: 42 })),
    },
  ];
  // What the third was measured to take went with the worker that had done it.
  data.cutovers = [42.3, 57.1, 0].map((gapMs, i): CutoverRecord => {
    const n = i + 1;
    return {
      ...{ shard: `shard-${n}`, from: `10.20.100.${n + 10}:6379`, to: standbyOf(n), at: begun, offset: 9000 + n },
      ...{ gapMs, drainedMs: gapMs === 0 ? 0 : 3.5, already: gapMs === 0 },
    };
  });
  data.followers = numbers.map((n): FollowState => {
    const except = n === 2;
    return {
      ...{ shard: `shard-${n}`, at: Date.parse(begun), phase: 'following' as const, dirty: 0 },
      ...{ primary: `10.20.100.${n + 10}:6379`, standby: standbyOf(n) },
      ...(except
        ? { lagBytes: 1200, lagMs: 4, lagMsMax: 2400, commands: 98_000, rewritten: 25_000, recopied: 0 }
        : { lagBytes: 0, lagMs: 0, lagMsMax: 184, commands: 120_500, rewritten: 30_200, recopied: 12 }),
      notRepresentable: except
        ? [
            { what: 'field TTLs', count: 1204, examples: ['cart:1', 'cart:2', 'cart:3', 'cart:4'] },
            { what: 'vector sets', count: 1, examples: ['embedding:7'] },
          ]
        : [],
    };
  });
  // An older release comes with nothing, and is given everything.
  const nodes = data.status.shards.flatMap(({ shard, nodes }) => nodes.map(({ address }) => ({ shard, address })));
  for (const { shard, address } of nodes)
    data.resyncs.push({ node: address, shard, kind: 'full', ms: 700, release: '5.0.6' });
  return data;
}
