import { objectiveStep, passed, type DrillRecord, type DrillStep } from '../../../model/drill.js';
import type { DrillPart } from '../../../model/drill-part.js';
import { formatDuration } from '../../../model/duration.js';
import type { DrillReportData } from '../../../model/report/render-drill.js';

const WEEK = 7 * 86_400_000;
const newest = Date.parse('2026-11-29T04:03:12.000Z');

export interface SampleDrill {
  /** Weeks before the newest. */
  ago?: number;
  restoreMs?: number;
  recoveryPointMs?: number;
  by?: 'archive' | 'backup';
  part?: DrillPart;
  /** A check that fails. */
  broken?: boolean;
  failures?: boolean;
}

/** A drill as a worker would have recorded it. */
export function sampleDrill({
  ago = 0,
  restoreMs = 18_200,
  recoveryPointMs = 420,
  by = 'archive',
  part,
  broken = false,
  failures = true,
}: SampleDrill = {}): DrillRecord {
  const startedAt = newest - ago * WEEK;
  const took = (tookMs: number) => ({ tookMs });
  const [detectedMs, writableMs, servedMs] = [15_310, 16_940 + ago * 40, Math.round(restoreMs / 2.1)];
  const keys = Math.round(1_204_331 * (part?.share ?? 1));
  const objectives = { recoveryTime: 60_000, recoveryPoint: 5000 };
  const broke: DrillStep[] = failures
    ? [
        {
          ...{ name: 'a primary dies', result: 'passed', ...took(writableMs + 180) },
          found: `called failed after ${formatDuration(detectedMs)}, written to again after ${formatDuration(writableMs)}`,
          measured: { detectedMs, writableMs },
        },
        {
          ...{ name: 'a shard is lost', result: 'passed', ...took(servedMs) },
          found: `401,200 keys served again after ${formatDuration(servedMs)}`,
          measured: { servedMs },
        },
      ]
    : [];
  const steps: DrillStep[] = [
    { name: 'restore', result: 'passed', ...took(restoreMs), found: `${keys.toLocaleString('en')} keys of 3 shards` },
    {
      name: 'verify',
      result: 'passed',
      ...took(9400),
      found: `${keys.toLocaleString('en')} keys compared with the point, 0 different`,
    },
    broken
      ? { name: 'check cart', result: 'failed', ...took(310), found: 'exit code 1: 3 carts broken' }
      : { name: 'check cart', result: 'passed', ...took(310), found: '12 carts, 0 broken' },
    ...broke,
    objectiveStep('recovery time', restoreMs + 700, objectives.recoveryTime, { part: part !== undefined }),
    objectiveStep('recovery point', recoveryPointMs, objectives.recoveryPoint),
  ];
  const reaches = new Date(startedAt - recoveryPointMs).toISOString();
  const id = new Date(startedAt).toISOString().replace(/[-:]|\.\d+/g, '');
  return {
    ...{ format: 1, drill: `${id}-0badcafe`, deployment: 'orders', backup: '20261129T020000Z-1a2b3c4d' },
    ...(by === 'archive'
      ? {
          point: {
            asked: `the state of ${reaches}`,
            shards: [1, 2, 3].map((n) => ({ shard: `shard-${n}`, offset: 48_112_034 + n * 7001, at: reaches })),
          },
        }
      : {}),
    ...(part ? { part } : {}),
    ...{ startedBy: 'schedule', startedAt: new Date(startedAt).toISOString() },
    endedAt: new Date(startedAt + steps.reduce((sum, { tookMs }) => sum + tookMs, 900)).toISOString(),
    ...{ release: '8.0.6', shards: part?.shards.length ?? 3, keys },
    recoveryTime: { ms: restoreMs + 700, objectiveMs: objectives.recoveryTime },
    recoveryPoint: { ms: recoveryPointMs, objectiveMs: objectives.recoveryPoint, by, reaches },
    memory: { neededBytes: 5_368_709_120, freeBytes: 21_474_836_480 },
    ...{ steps, passed: passed(steps) },
  };
}

/** A quarter of a year of them. */
export function sampleDrills(first: SampleDrill = {}): DrillReportData {
  const part = { shards: ['shard-2'], ofShards: 3, share: 1 / 3 };
  const before = Array.from({ length: 13 }, (_, i): DrillRecord =>
    sampleDrill({
      ...{ ago: i + 1, restoreMs: 17_100 - i * 310 + ((i * 7919) % 900) },
      // The archive was begun five weeks ago.
      ...(i < 5
        ? { recoveryPointMs: 380 + ((i * 131) % 240) }
        : { by: 'backup', recoveryPointMs: 3_100 + ((i * 977) % 1400) }),
      ...(i === 6 ? { broken: true } : {}),
      ...(i === 3 ? { part, restoreMs: 6100 } : {}),
    }),
  );
  const drill = sampleDrill(first);
  const unreadable = { drill: '20260823T040312Z-0badcafe', problem: 'it is not as it was written' };
  return { generatedAt: '2026-11-29T09:00:00.000Z', drill, drills: [drill, ...before, unreadable] };
}
