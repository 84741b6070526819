import type { RestoreForecast, RestoreOf, RestoreResult } from '../../../model/backup-restore.js';
import type { OperationStatus, TimelineEntry } from '../../../model/operation.js';
import type { ReportData } from '../../../model/report.js';

const start = Date.parse('2026-11-30T08:14:03.000Z');
const iso = (seconds: number): string => new Date(start + seconds * 1000).toISOString();
const shards = [1, 2, 3].map((n) => ({ shard: `shard-${n}`, keys: 401_000 + n * 777 }));
const keys = shards.reduce((sum, it) => sum + it.keys, 0);

/** The restore of a point, as the workflow would have told it. */
export function sampleRestore(outcome: 'completed' | 'differs' | 'loading' | 'stopped'): ReportData {
  const differs = outcome === 'differs';
  const of: RestoreOf = {
    ...{ backup: '20261130T020000Z-1a2b3c4d', from: 'orders' },
    point: {
      asked: 'the state before the last FLUSHALL',
      shards: shards.map(({ shard }, i) => ({ shard, offset: 48_112_034 + i, at: iso(-900 + i) })),
    },
  };
  const forecast: RestoreForecast = {
    ...of,
    ...{ deployment: 'orders', takenAt: iso(-22_000), existing: 'keep', exactly: false },
    shards: shards.map(({ shard, keys: all }) => ({
      ...{ shard, keys: all, selected: all, expired: 12, present: 3, functions: 0, bytesTo: {} },
      lacking: { 'field expiries': { count: 4, examples: ['cart:7', 'cart:19'] } },
    })),
    targets: shards.map(({ shard }, i) => ({
      ...{ shard, address: `10.20.0.${11 + i}:6379`, release: '7.2.4', keys: 90 },
      ...{ usedMemoryBytes: 40e6, maxMemoryBytes: i === 0 ? 0 : 8e9 },
    })),
    totals: {
      keys,
      selected: keys,
      expired: 36,
      present: 9,
      written: keys - 45,
      replaced: 0,
      removed: 0,
      kept: 9,
      targetKeys: 270,
    },
    tooLarge: [],
  };
  const result: RestoreResult = {
    ...of,
    ...{ deployment: 'orders', existing: 'keep', confirmedBy: 'ana', liveWriters: differs },
    restored: shards.map(({ shard, keys: all }) => ({
      ...{ shard, selected: all, written: all - 15, kept: 3, expired: 12, refused: 0, bytes: 91e6, tookMs: 4100 },
      lacking: {},
    })),
    compared: shards.map(({ shard, keys: all }) => ({
      ...{ shard, keys: all - 12, compared: all - 12, same: all - 12 - (differs ? 2 : 0), expired: 0 },
      ...{ different: differs ? 2 : 0, missing: 0, examples: differs ? ['cart:7 has another value'] : [] },
    })),
    written: { keys: keys - 45, keysPerSecond: 146_000, tookMs: 8300 },
  };
  const ended = outcome !== 'loading';
  const done = outcome === 'completed' || differs;
  const status: OperationStatus = {
    ...{ deployment: 'orders', operation: 'restore', workflowId: 'redis/orders', from: '8.0.6', to: '7.2.4' },
    ...{ phase: ended ? (done ? 'completed' : 'stopped') : 'restoring', reason: 'the point into orders' },
    ...{ startedAt: iso(0), startedBy: 'ana', ...(ended ? { endedAt: iso(64) } : {}) },
    ...{ progress: { upgraded: 0, nodes: 0 }, waiting: [], shards: [], children: [], approvals: [], gates: [] },
    restoring: {
      ...{
        backup: of.backup,
        from: 'orders',
        doing: done ? 'comparing' : 'loading',
        keys,
        done: done ? keys : 510_000,
      },
      shards: shards.map((it, i) => ({ ...it, done: done ? it.keys : Math.round(it.keys / (i + 1.5)) })),
    },
    restore: { of, forecast, ...(done ? { result } : {}) },
    artefacts: '',
    ...(ended ? { result: done ? ('completed' as const) : ('stopped' as const) } : {}),
    ...(outcome === 'stopped' ? { statement: '10.20.0.12:6379 has no memory left. What was written stays.' } : {}),
  };
  const step = (from: number, to: number, shard: string, text: string): TimelineEntry => ({
    ...{ at: iso(from), until: iso(to), kind: 'step', shard, text },
  });
  const phase = (at: number, text: string): TimelineEntry => ({ at: iso(at), kind: 'phase', text });
  return {
    ...{ generatedAt: iso(ended ? 65 : 30), status, verify: [], configuration: [], releases: [], resyncs: [] },
    timeline: [
      phase(0, 'assessing: finding the backup, and looking at orders; nothing is written'),
      phase(22, 'restoring: the point into orders'),
      ...shards.map(({ shard }, i) => step(22 + i * 0.3, 31 + i * 2, shard, `load ${shard}`)),
      ...(done
        ? [
            phase(37, 'validating: every key of the point against orders'),
            ...shards.map(({ shard }, i) => step(37, 52 + i * 5, shard, `compare ${shard}`)),
            phase(64, 'completed: done'),
          ]
        : outcome === 'stopped'
          ? [{ at: iso(60), kind: 'failure' as const, text: 'TargetFull' }, phase(64, 'stopped: TargetFull')]
          : []),
    ],
    ...{ handovers: [], backups: [], retries: { activities: [], more: 0 } },
  };
}
