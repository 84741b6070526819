import type { HandoverRecord, ProbeGap, ProbeSeries, VerifyResult } from '../evidence.js';
import type { ReportData } from '../report.js';
import { isWait, isWork, type Span } from './spans.js';
import { timeScale, type TimeScale } from './time-scale.js';
import { worstGap, type WorstGap } from './totals.js';

/** A node's role and version over time, for its line in the timeline. */
export interface Stretch {
  from: number;
  to: number;
  role: 'primary' | 'replica';
  upgraded: boolean;
}

export interface NodeView {
  address: string;
  role: string;
  before: string;
  after: string;
  stretches: Stretch[];
}

/** Everything the report says of one shard, gathered once. */
export interface ShardView {
  shard: string;
  state: string;
  /** In order, of this shard only. */
  spans: Span[];
  handovers: HandoverRecord[];
  series: ProbeSeries[];
  nodes: NodeView[];
  verify: VerifyResult[];
  /** Times in which the probe's own process stood still. */
  stalls: ProbeGap[];
  partial: number;
  full: number;
  failed: number;
  operations: number;
  writeGap: WorstGap | undefined;
  readGap: WorstGap | undefined;
}

const group = <T>(things: readonly T[], by: (thing: T) => string | undefined): Map<string, T[]> => {
  const groups = new Map<string, T[]>();
  for (const thing of things) {
    const key = by(thing);
    if (key === undefined) continue;
    const there = groups.get(key);
    if (there) there.push(thing);
    else groups.set(key, [thing]);
  }
  return groups;
};

/** Shards in the order of their work: of the status, then whatever else the evidence names. */
export function shardViews(data: ReportData, spans: readonly Span[], from: number, to: number): ShardView[] {
  const spansBy = group(spans, (span) => span.entry.shard);
  const seriesBy = group(data.probe?.series ?? [], (one) => one.shard);
  const handoversBy = group(data.handovers, (h) => h.shard);
  const verifyBy = group(data.verify, (v) => v.shard);
  const resyncsBy = group(data.resyncs, (r) => r.shard);
  const status = new Map(data.status.shards.map((shard) => [shard.shard, shard]));
  const releases = new Map(data.releases.map((r) => [r.node, r]));
  const names = new Set([...status.keys(), ...(data.plan?.shards ?? []).map((s) => s.shard), ...seriesBy.keys()]);
  return [...names].map((shard) => {
    const own = spansBy.get(shard) ?? [];
    const handovers = (handoversBy.get(shard) ?? []).sort((a, b) => a.at.localeCompare(b.at));
    const series = seriesBy.get(shard) ?? [];
    const resyncs = resyncsBy.get(shard) ?? [];
    const nodes = (status.get(shard)?.nodes ?? []).map(({ address, role, release }) => ({
      address,
      role,
      before: releases.get(address)?.before ?? data.status.from,
      after: releases.get(address)?.after ?? release,
      stretches: stretchesOf(address, role, own, handovers, from, to),
    }));
    return {
      shard,
      state: status.get(shard)?.state ?? 'unknown',
      spans: own,
      handovers,
      series,
      nodes,
      verify: verifyBy.get(shard) ?? [],
      stalls: data.probe?.stalls ?? [],
      partial: resyncs.filter((r) => r.kind === 'partial').length,
      full: resyncs.filter((r) => r.kind === 'full').length,
      failed: series.reduce((sum, one) => sum + one.failed, 0),
      operations: series.reduce((sum, one) => sum + one.operations, 0),
      writeGap: worstGap(series, 'write'),
      readGap: worstGap(series, 'read'),
    };
  });
}

// The status knows today's role; earlier ones follow from the handovers, walked backwards.
function stretchesOf(
  address: string,
  role: Stretch['role'],
  spans: readonly Span[],
  handovers: readonly HandoverRecord[],
  from: number,
  to: number,
): Stretch[] {
  const swap = spans.findLast(({ entry, open }) => entry.kind === 'swap' && entry.node === address && !open);
  const roles: { from: number; role: Stretch['role'] }[] = [];
  let current = role;
  for (const handover of [...handovers].reverse()) {
    if (handover.from !== address && handover.to !== address) continue;
    roles.unshift({ from: Date.parse(handover.at), role: current });
    current = handover.from === address ? 'primary' : 'replica';
  }
  roles.unshift({ from, role: current });
  return roles.flatMap((one, i) => {
    const until = roles[i + 1]?.from ?? to;
    const at = swap?.to ?? Infinity;
    if (at <= one.from || at >= until) return [{ from: one.from, to: until, role: one.role, upgraded: at <= one.from }];
    return [
      { from: one.from, to: at, role: one.role, upgraded: false },
      { from: at, to: until, role: one.role, upgraded: true },
    ];
  });
}

/** Worst first: stopped, then data that differs, failed operations, full resyncs, and the longest write gap. */
export function worstFirst(views: readonly ShardView[]): ShardView[] {
  const rank = (view: ShardView): number[] => [
    view.state === 'stopped' ? 1 : 0,
    view.verify.reduce((sum, v) => sum + v.different, 0),
    view.failed,
    view.full,
    view.writeGap?.ms ?? 0,
  ];
  return [...views].sort((a, b) => {
    const [ra, rb] = [rank(a), rank(b)];
    const i = ra.findIndex((value, at) => value !== rb[at]);
    return i < 0 ? 0 : (rb[i] ?? 0) - (ra[i] ?? 0);
  });
}

/** Time scale for these spans, with the waits in which nothing was done folded. */
export function scaleFor(spans: readonly Span[], from: number, to: number): TimeScale {
  const busy = spans.filter((span) => isWork(span) || (span.entry.kind === 'phase' && !isWait(span)));
  return timeScale(from, to, busy.some(isWork) ? busy.filter(isWork) : busy);
}
