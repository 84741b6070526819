import type { NodeStatus, OperationPhase, ShardStatus, TimelineEntry, Waiting } from '../../../model/operation.js';
import { draws } from '../../../model/random.js';
import type { ReportData } from '../../../model/report.js';
import { samplePeople } from './sample-people.js';
import { sampleSeries } from './sample-probe.js';

export interface SampleOptions {
  outcome: 'completed' | 'stopped' | 'running' | 'waiting';
  shards?: number;
  parallel?: number;
  /** Seconds. */
  canarySoak?: number;
  soak?: number;
  probe?: boolean;
  seed?: number;
}

const start = Date.parse('2026-11-12T09:14:03.210Z');
const iso = (ms: number): string => new Date(Math.round(ms)).toISOString();
const before = '5.0.6';
const after = '8.0.6';

/** An upgrade as the workflows would have recorded it: steps, waits, handovers, and what a probe sees of them. */
export function sampleReport(options: SampleOptions): ReportData {
  const { outcome, shards: count = 3, parallel = 1, canarySoak = 20, soak = 15, probe = true, seed = 7 } = options;
  const random = draws(seed);
  const timeline: TimelineEntry[] = [];
  const handovers: ReportData['handovers'] = [];
  const resyncs: ReportData['resyncs'] = [];
  const names = Array.from({ length: count }, (_, i) => `shard-${i + 1}`);
  const primaryOf = (i: number): string => `10.20.${Math.floor(i / 100)}.${(i % 100) + 11}:6379`;
  const replicaOf = (i: number): string => `10.20.${100 + Math.floor(i / 100)}.${(i % 100) + 11}:6379`;

  const add = (at: number, ms: number, entry: Omit<TimelineEntry, 'at' | 'until'>): number => {
    timeline.push({ ...entry, at: iso(at), ...(ms > 0 ? { until: iso(at + ms) } : {}) });
    return at + ms;
  };
  const swapNode = (shard: string, node: string, from: number): number => {
    let at = from + 250;
    if (node === replicaOf(0)) {
      add(at, 0, { kind: 'gate', shard, node, text: 'latency: waits: p99 130 ms over the last ten seconds' });
      at += 1400;
      add(at, 0, { kind: 'gate', shard, node, text: 'latency passes now' });
    }
    at = add(at, 120 + random() * 100, { kind: 'step', shard, node, text: 'isolate' });
    at = add(at, 500 + random() * 900, { kind: 'step', shard, node, text: 'save' });
    at = add(at, 700 + random() * 600, { kind: 'swap', shard, node, text: `start ${after}` });
    const rejoin = 900 + random() * 1500;
    resyncs.push({ node, shard, kind: 'partial', ms: Math.round(rejoin) });
    at = add(at, rejoin, { kind: 'step', shard, node, text: 'rejoin' });
    at = add(at, 1800 + random() * 2500, { kind: 'step', shard, node, text: 'verify' });
    return add(at, 90, { kind: 'step', shard, node, text: 'release' });
  };
  // As the workflows write them: a phase is a moment with its reason, and its end is the next one's begin.
  const phase = (shard: string | undefined, name: OperationPhase, reason: string, at: number, node?: string): void => {
    const where = { ...(shard === undefined ? {} : { shard }), ...(node === undefined ? {} : { node }) };
    timeline.push({ kind: 'phase', at: iso(at), text: `${name}: ${reason}`, ...where });
  };
  const upgradeNode = (name: OperationPhase, i: number, node: string, from: number): number => {
    const shard = names[i] ?? '';
    phase(shard, name, `${node} of ${shard}`, from, node);
    return swapNode(shard, node, from);
  };
  const handOver = (i: number, from: number): number => {
    const shard = names[i] ?? '';
    const old = primaryOf(i);
    phase(shard, 'handing over', `${shard}: ${old} → ${replicaOf(i)}`, from, old);
    add(from + 20, 0, {
      kind: 'gate',
      shard,
      text: 'topology: waits: roles changed 9 s ago (clears when 11 s have passed)',
    });
    let at = add(from + 2000, 150, { kind: 'step', shard, node: old, text: 'isolate' });
    at = add(at, 700 + random() * 400, { kind: 'step', shard, node: old, text: 'save' });
    const ms = 38 + random() * 70;
    handovers.push({
      shard,
      from: old,
      to: replicaOf(i),
      mode: 'safe',
      ms: Math.round(ms * 10) / 10,
      at: iso(at + 60),
    });
    return add(at, ms + 200, { kind: 'handover', shard, node: old, text: `hand over to ${replicaOf(i)}` });
  };
  /** A child workflow begins and ends on its own account, and names no shard. */
  const child = (shard: string, from: number, body: (at: number) => number): number => {
    phase(undefined, 'assessing', `reading ${shard}, changing nothing`, from);
    const end = body(from + 400);
    if (reached[names.indexOf(shard)] === 'done') phase(undefined, 'completed', `every node runs ${after}`, end);
    return end;
  };

  phase(undefined, 'assessing', 'reading orders, changing nothing', start);
  phase(undefined, 'backing up', 'a verified snapshot of every shard, before anything changes', start + 2900);
  let at = start + 6700;
  phase(undefined, 'rolling shards', `${count} shards, ${parallel} at once`, at);
  const rolling = at;
  let asked = at;
  let answered = at;

  const stopAt = outcome === 'completed' ? count : Math.max(1, Math.floor(count / 2));
  let failure: string | undefined;
  const reached: ('waiting' | 'replica' | 'done')[] = names.map(() => 'waiting');
  const upgradeShard = (i: number, from: number): number => {
    const shard = names[i] ?? '';
    let t = upgradeNode('upgrading replica', i, replicaOf(i), from);
    reached[i] = 'replica';
    if (i === 0) {
      phase(shard, 'canary', `${replicaOf(0)} is the canary`, t);
      asked = t + canarySoak * 1000;
      answered = asked + 14_000;
      phase(shard, 'awaiting approval', 'May primaries be handed over?', asked);
      t = answered;
    }
    if (i === stopAt && outcome === 'waiting') phase(shard, 'awaiting approval', `Hand ${shard} over?`, t + 10);
    if (i === stopAt && outcome === 'stopped') {
      failure = `${primaryOf(i)} answered the handover with OK, but is still primary after 30 s in the view of all nodes`;
      phase(shard, 'handing over', `${shard}: ${primaryOf(i)} → ${replicaOf(i)}`, t, primaryOf(i));
      const where = { shard, node: primaryOf(i) };
      const ended = add(t, 30_000, { kind: 'handover', ...where, text: `hand over to ${replicaOf(i)}` });
      add(ended, 0, { kind: 'failure', ...where, text: `hand over to ${replicaOf(i)}: ${failure}` });
      return ended;
    }
    if (i === stopAt) return t;
    t = upgradeNode('upgrading old primary', i, primaryOf(i), handOver(i, t));
    reached[i] = 'done';
    return add(t, 120, { kind: 'step', shard, text: 'put settings back' });
  };
  const free = Array.from({ length: parallel }, () => rolling);
  for (let i = 0; i <= Math.min(stopAt, count - 1); i++) {
    // The canary's shard goes alone.
    const slot = free.indexOf(Math.min(...free));
    const end = child(names[i] ?? '', free[slot] ?? rolling, (t) => upgradeShard(i, t));
    if (i === 0) free.fill(end);
    else free[slot] = end;
  }
  at = Math.max(...free);
  timeline.push({ kind: 'control', at: iso(rolling + 4000), text: 'ana paused: looking at a slow query' });
  timeline.push({ kind: 'control', at: iso(rolling + 5200), text: 'ana resumed' });
  if (outcome === 'completed') {
    phase(undefined, 'completed', `every node runs ${after}`, at);
    phase(undefined, 'validating', 'every replica against its primary, from every node’s own view', at + 5);
    phase(undefined, 'soaking', `every node runs ${after}; watched before it is final`, at + 6200);
    phase(undefined, 'finalizing', 'reading back every acknowledged write', at + 6200 + soak * 1000);
    at += 7100 + soak * 1000;
    phase(undefined, 'completed', `every node runs ${after}`, at);
  } else at += 4000;

  const nodesOf = (i: number): NodeStatus[] => {
    const done = reached[i] === 'done';
    const half = reached[i] !== 'waiting';
    return [
      {
        address: primaryOf(i),
        role: done ? 'replica' : 'primary',
        release: done ? after : before,
        state: done ? 'upgraded' : 'waiting',
      },
      {
        address: replicaOf(i),
        role: done ? 'primary' : 'replica',
        release: half ? after : before,
        state: half ? 'upgraded' : 'waiting',
      },
    ];
  };
  const shards = names.map((shard, i): ShardStatus => {
    const state =
      reached[i] === 'done'
        ? 'upgraded'
        : i === stopAt
          ? outcome === 'stopped'
            ? 'stopped'
            : 'in progress'
          : 'waiting';
    return {
      shard,
      state,
      phase: state === 'upgraded' ? 'completed' : state === 'waiting' ? 'waiting' : 'handing over',
      nodes: nodesOf(i),
    };
  });
  const all = shards.flatMap((shard) => shard.nodes);
  const upgraded = all.filter((node) => node.state === 'upgraded').length;
  const waiting: Waiting[] =
    outcome === 'waiting'
      ? [
          {
            kind: 'approval',
            name: `handover:${names[stopAt] ?? ''}`,
            reason: `1 of operations or engineering must allow the handover of ${names[stopAt] ?? ''}`,
            since: iso(at - 3000),
            clears: 'one more person approves',
            command: `rollout approve orders --approval handover:${names[stopAt] ?? ''} --as you@example.com`,
            shard: names[stopAt] ?? '',
          },
        ]
      : [];
  const running = outcome === 'running' || outcome === 'waiting';
  const phaseNow: OperationPhase =
    outcome === 'completed' || outcome === 'stopped'
      ? outcome
      : outcome === 'waiting'
        ? 'awaiting approval'
        : 'rolling shards';
  const data: ReportData = {
    generatedAt: iso(at + 800),
    status: {
      deployment: 'orders',
      operation: 'upgrade',
      workflowId: 'redis/orders',
      from: before,
      to: '8.0',
      phase: phaseNow,
      reason: running
        ? `${names[stopAt] ?? ''}: the replica is upgraded and verified; its primary is handed over next`
        : 'every step is done',
      startedAt: iso(start),
      startedBy: 'ana@example.com',
      ...(running ? {} : { endedAt: iso(at) }),
      progress: { upgraded, nodes: all.length },
      waiting,
      shards,
      children: running ? [`redis/orders/${names[stopAt] ?? ''}`] : [],
      ...samplePeople({ start, asked, answered, rolling, replica: replicaOf(0), stopped: outcome === 'stopped' }),
      artefacts: '.rollout/orders/2026-11-12T09-14-03',
      ...(running ? {} : { result: outcome }),
      ...(failure === undefined
        ? {}
        : {
            statement: `${names[stopAt] ?? ''} was left as it was: ${failure}. The primary still serves on ${before}, its replica on ${after} follows it; no other shard is touched.`,
          }),
    },
    timeline,
    verify: shards
      .filter((shard) => shard.state === 'upgraded')
      .map(({ shard, nodes }) => ({
        shard,
        primary: nodes[1]?.address ?? '',
        replica: nodes[0]?.address ?? '',
        mode: 'all' as const,
        keys: 20_000 + Math.floor(random() * 400),
        bytes: 10_400_000 + Math.floor(random() * 100_000),
        different: 0,
        examples: [],
        ttlDriftMs: Math.round(random() * 700),
        durationMs: 1800 + Math.round(random() * 900),
      })),
    configuration: all
      .filter((node) => node.state === 'upgraded')
      .flatMap(({ address: node }) => [
        {
          node,
          kind: 'renamed' as const,
          directive: 'slave-read-only',
          before: 'yes',
          after: 'replica-read-only yes',
          note: 'renamed in 5.0, alias kept',
        },
        {
          node,
          kind: 'removed' as const,
          directive: 'list-max-ziplist-size',
          before: '-2',
          note: 'list-max-listpack-size takes its place',
        },
        { node, kind: 'added' as const, directive: 'cluster-allow-replica-migration', after: 'yes' },
        { node, kind: 'added' as const, directive: 'latency-tracking', after: 'yes' },
      ]),
    releases: all.filter((node) => node.state === 'upgraded').map((node) => ({ node: node.address, before, after })),
    resyncs,
    handovers,
    backups: names.map((shard, i) => ({
      shard,
      node: replicaOf(i),
      file: `backups/orders/20261112T091406Z/${shard}.rdb`,
      bytes: 10_512_384 + i * 4096,
      keys: 20_111 + i,
      sha256: Array.from({ length: 64 }, () => Math.floor(random() * 16).toString(16)).join(''),
      rdbVersion: 9,
      replid: Array.from({ length: 40 }, () => Math.floor(random() * 16).toString(16)).join(''),
      offset: 48_211_904 + i * 1311,
      at: iso(start + 4200 + i * 30),
    })),
    retries: {
      activities: [
        {
          ...{ workflowId: 'redis/orders', activity: 'backUpShard', what: `back up ${names[0] ?? ''}`, attempts: 3 },
          ...{ since: iso(start + 4200), until: iso(start + 9200) },
          failure: { type: 'Unreachable', message: `${replicaOf(0)} can't be reached: connect ECONNREFUSED` },
        },
      ],
      more: 0,
    },
  };
  if (!probe) return data;
  const series = names.flatMap((shard) => sampleSeries(shard, timeline, handovers, start, at, random));
  const writes = series.filter((one) => one.operation === 'write').reduce((sum, one) => sum + one.operations, 0);
  const types = ['string', 'string with TTL', 'counter', 'list', 'hash', 'sorted set'];
  const share = Math.floor(writes / types.length);
  data.probe = {
    startedAt: iso(start + 900),
    endedAt: iso(at),
    series,
    ...(running
      ? {}
      : {
          ledger: {
            acknowledged: share * types.length,
            found: share * types.length,
            lost: 0,
            examples: [],
            byType: Object.fromEntries(types.map((type) => [type, { acknowledged: share, lost: 0 }])),
          },
        }),
  };
  return data;
}
