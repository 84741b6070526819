import type { CutoverRecord, HandoverRecord, ProbeGap, ProbeSeries, VerifyResult } from '../evidence.js';
import type { NodeStatus, ShardStatus } from '../operation.js';
import type { ReportData } from '../report.js';
import { isWait, isWork, type Span } from './spans.js';
import { timeScale, type TimeScale } from './time-scale.js';
import { worstGap, type WorstGap } from './totals.js';

/** A node's role and version over time, for its line in the timeline. */
export interface Stretch {
  from: number;
  to: number;
  role: 'primary' | 'replica';
  /** Does it run the newer release? Not any more once it went back. */
  upgraded: boolean;
}

export interface NodeView {
  address: string;
  role: string;
  /** The release that it was upgraded from, or went back to, and the other. */
  older: string;
  newer: string;
  stretches: Stretch[];
}

/** Everything the report says of one shard, gathered once. */
export interface ShardView {
  shard: string;
  state: string;
  /** In order, of this shard only. */
  spans: Span[];
  handovers: HandoverRecord[];
  /** To its standby, where it was taken back. */
  cutovers: CutoverRecord[];
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
  const cutoversBy = group(data.cutovers ?? [], (c) => c.shard);
  const verifyBy = group(data.verify, (v) => v.shard);
  const resyncsBy = group(data.resyncs, (r) => r.shard);
  const status = new Map(data.status.shards.map((shard) => [shard.shard, shard]));
  const names = new Set([...status.keys(), ...(data.plan?.shards ?? []).map((s) => s.shard), ...seriesBy.keys()]);
  return [...names].map((shard) => {
    const own = spansBy.get(shard) ?? [];
    const handovers = inOrder(handoversBy.get(shard) ?? []);
    const cutovers = inOrder(cutoversBy.get(shard) ?? []);
    const moves = inOrder([...handovers, ...cutovers]);
    const series = seriesBy.get(shard) ?? [];
    const resyncs = resyncsBy.get(shard) ?? [];
    const nodes = (status.get(shard)?.nodes ?? []).map((node) => ({
      ...{ address: node.address, role: node.role, ...releasesOf(data, node) },
      stretches: stretchesOf(node.address, node.role, own, moves, from, to),
    }));
    return {
      shard,
      state: stateOf(status.get(shard)),
      spans: own,
      ...{ handovers, cutovers },
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

const inOrder = <T extends { at: string }>(records: readonly T[]): T[] =>
  [...records].sort((a, b) => a.at.localeCompare(b.at));

/** Of one that was upgraded and taken back both changes name the same two. */
function releasesOf(
  { status, releases }: ReportData,
  { address, release }: Pick<NodeStatus, 'address' | 'release'>,
): Pick<NodeView, 'older' | 'newer'> {
  const own = releases.filter(({ node }) => node === address);
  const [first, last] = [own[0], own.at(-1)];
  if (status.operation === 'fallback') return { older: last?.after ?? release, newer: first?.before ?? status.from };
  if (!first || !last) return { older: status.from, newer: release };
  return { older: first.before, newer: last.after === first.before ? last.before : last.after };
}

/** What is done with a shard is called the same, whichever way it went. */
function stateOf(shard: ShardStatus | undefined): string {
  if (!shard) return 'unknown';
  const isBack = shard.nodes.length > 0 && shard.nodes.every(({ state }) => state === 'reverted');
  return shard.state === 'upgraded' && isBack ? 'taken back' : shard.state;
}

// The status knows today's role; earlier ones follow from the handovers and cutovers, walked backwards.
function stretchesOf(
  address: string,
  role: Stretch['role'],
  spans: readonly Span[],
  moves: readonly Pick<HandoverRecord, 'from' | 'to' | 'at'>[],
  from: number,
  to: number,
): Stretch[] {
  const roles: { from: number; role: Stretch['role'] }[] = [];
  let current = role;
  for (const move of [...moves].reverse()) {
    if (move.from !== address && move.to !== address) continue;
    roles.unshift({ from: Date.parse(move.at), role: current });
    current = move.from === address ? 'primary' : 'replica';
  }
  roles.unshift({ from, role: current });
  const newer = newerWithin(spans, address);
  const cuts = [from, to, newer.from, newer.to, ...roles.map((it) => it.from)]
    .filter((at) => at >= from && at <= to)
    .sort((a, b) => a - b);
  return cuts.flatMap((at, i) => {
    const until = cuts[i + 1] ?? at;
    if (until === at) return [];
    const own = roles.findLast((it) => it.from <= at)?.role ?? role;
    return [{ from: at, to: until, role: own, upgraded: newer.from <= at && at < newer.to }];
  });
}

/** When a node ran the newer release: from its last start on it until it went back, where it did. */
function newerWithin(spans: readonly Span[], address: string): { from: number; to: number } {
  const swaps = spans.filter(({ entry, open }) => entry.kind === 'swap' && entry.node === address && !open);
  const isBack = ({ entry }: Span): boolean => /^(back to|restore on) /.test(entry.text);
  const up = swaps.findLast((span) => !isBack(span));
  const back = swaps.findLast((span) => isBack(span) && span.to > (up?.to ?? -Infinity));
  // Of a fallback by itself the upgrade is told by another report.
  const since = up?.to ?? (back ? -Infinity : Infinity);
  return { from: since, to: back?.to ?? Infinity };
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
