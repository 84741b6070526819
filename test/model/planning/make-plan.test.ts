// What `rollout plan` says of a cluster: the order, what each step waits for, and what speaks against it.
import { expect, test } from 'vitest';
import type { Plan, PlanWarning } from '../../../model/plan.js';
import type { NodeFacts } from '../../../model/planning/facts.js';
import { makePlan } from '../../../model/planning/make-plan.js';
import type { TopologyView } from '../../../model/topology.js';
import { deployment, facts, topology, type ShardSketch } from './topologies.js';

const old = ['5.0.6', '5.0.6'];
const three: ShardSketch[] = [
  { releases: old, keys: 300 },
  { releases: old, keys: 100 },
  { releases: old, keys: 200 },
];

const plan = (
  view: TopologyView,
  { policy = '', to = '8.0.6', node = {} }: { policy?: string; to?: string; node?: NodeFacts } = {},
): Plan => makePlan({ deployment: deployment(policy), topology: view, to, facts: facts(view, node) });
const about = (it: Plan, words: RegExp): PlanWarning | undefined => it.warnings.find(({ text }) => words.test(text));

test('the shard with the fewest keys is first, its replica the canary; then replicas, handover, old primary', () => {
  const it = plan(topology(three));
  expect(it.canary).toEqual({
    shard: 'shard-2',
    node: '10.0.2.1:6379',
    reason: 'shard-2 holds the fewest keys (100 keys, 64.0 MB) and 10.0.2.1:6379 is its only replica',
  });
  expect(it.shards.map(({ shard }) => shard)).toEqual(['shard-2', 'shard-1', 'shard-3']);
  expect(it.shards.map(({ steps }) => steps.map(({ kind, node, copiesDuring }) => [kind, node, copiesDuring]))).toEqual(
    [
      [
        ['upgrade replica', '10.0.2.1:6379', 1],
        ['canary soak', '10.0.2.1:6379', 2],
        ['handover', '10.0.2.1:6379', 2],
        ['upgrade primary', '10.0.2.0:6379', 1],
        ['verify', undefined, 2],
      ],
      [
        ['upgrade replica', '10.0.1.1:6379', 1],
        ['handover', '10.0.1.1:6379', 2],
        ['upgrade primary', '10.0.1.0:6379', 1],
        ['verify', undefined, 2],
      ],
      [
        ['upgrade replica', '10.0.3.1:6379', 1],
        ['handover', '10.0.3.1:6379', 2],
        ['upgrade primary', '10.0.3.0:6379', 1],
        ['verify', undefined, 2],
      ],
    ],
  );
  expect(it).toMatchObject({ from: '5.0.6', to: '8.0.6', hops: [], nodes: 6 });
  expect(it.warnings.filter(({ severity }) => severity === 'blocker')).toEqual([]);
});

test('the most lagged replica is upgraded first, and the one with the highest offset takes over', () => {
  const it = plan(topology([{ releases: ['7.0.15', '7.0.15', '7.0.15', '7.0.15'], lags: [10, 500, 0] }]));
  expect(it.shards[0]?.steps.map(({ kind, node }) => `${kind} ${node ?? ''}`)).toEqual([
    'upgrade replica 10.0.1.2:6379',
    'canary soak 10.0.1.2:6379',
    'upgrade replica 10.0.1.1:6379',
    'upgrade replica 10.0.1.3:6379',
    'handover 10.0.1.3:6379',
    'upgrade primary 10.0.1.0:6379',
    'verify ',
  ]);
});

test('after a handover only the old primary is left, and its data is not trusted', () => {
  const it = plan(topology([{ releases: ['8.0.6', '5.0.6'] }, { releases: ['8.0.6', '8.0.6'] }]));
  expect(it.shards.map(({ shard }) => shard)).toEqual(['shard-1']);
  expect(it.shards[0]?.steps[0]).toMatchObject({ kind: 'upgrade primary', node: '10.0.1.1:6379', copiesDuring: 1 });
  expect(it.shards[0]?.steps[0]?.waitsFor.join()).toContain('snapshot from before the handover');
  expect(about(it, /3 of 4 nodes run 8\.0\.6 already/)).toMatchObject({ severity: 'note' });
  expect(it.canary).toBeUndefined();
});

test('a pair that can’t share a bus is a blocker with the hop that works', () => {
  const it = plan(topology(three), { to: '7.2.4' });
  expect(it.hops).toEqual(['7.0']);
  expect(about(it, /redis#13401/)).toMatchObject({
    severity: 'blocker',
    next: 'Go by way of 7.0: rollout plan orders --to 7.2.4 --via 7.0, or go straight to 8.0: rollout plan orders --to 8.0.',
  });
});

test.each([
  ['every node there already', [{ releases: ['8.0.6', '8.0.6'] }], /Every node of orders runs Redis 8\.0\.6 already/],
  ['a node ahead of the target', [{ releases: ['8.2.3', '8.0.6'] }], /Redis 8\.0\.6 is older than Redis 8\.2\.3/],
  ['a shard without a replica', [{ releases: old }, { releases: ['5.0.6'] }], /shard-2 has no replica/],
] as [string, ShardSketch[], RegExp][])('blocker: %s', (_, sketches, words) => {
  expect(about(plan(topology(sketches)), words)).toMatchObject({ severity: 'blocker' });
});

test('blocker: nodes that disagree', () => {
  const it = plan(topology(three, { disagreements: ['10.0.1.0:6379 sees slot 5 unassigned'] }));
  expect(it.warnings[0]).toMatchObject({ severity: 'blocker', text: '10.0.1.0:6379 sees slot 5 unassigned.' });
});

test('blocker: a hostname announced to nodes that drop it', () => {
  const view = topology([{ releases: ['5.0.6', '7.0.15'] }]);
  const known = facts(view);
  const nodes = { ...known.nodes, '10.0.1.1:6379': { ...known.nodes['10.0.1.1:6379'], announceHostname: 'a.example' } };
  const it = makePlan({ deployment: deployment(), topology: view, to: '8.0.6', facts: { nodes } });
  expect(about(it, /10\.0\.1\.1:6379 announces a hostname/)).toMatchObject({ severity: 'blocker' });
});

test('a clock that is off: a warning that says what it would do to keys', () => {
  const view = topology([{ releases: ['7.0.15', '7.0.15'] }, { releases: ['7.0.15', '7.0.15'] }]);
  const known = facts(view).nodes;
  const clocks = (ms: number) =>
    Object.fromEntries(
      Object.entries(known).map(([address, it]) => [
        address,
        { ...it, clock: { ms: address === '10.0.1.1:6379' ? ms : 5, uncertaintyMs: 1 } },
      ]),
    );
  const planned = (ms: number) =>
    makePlan({ deployment: deployment(), topology: view, to: '8.0.6', facts: { nodes: clocks(ms) } });
  expect(about(planned(30_000), /clock of 10\.0\.1\.1:6379 is 30 s ahead .*drops keys 30 s before/)).toMatchObject({
    severity: 'warning',
    subject: '10.0.1.1:6379',
  });
  expect(planned(500).warnings.filter(({ text }) => text.includes('clock'))).toEqual([]);
});

test('expiries before 7.0: a warning past the tolerance unless they are set right, a note within, nothing without such keys or from 7.0 on', () => {
  const view = topology([{ releases: old }]);
  expect(about(plan(view, { node: { expiringKeys: 7 } }), /7 keys of shard-1 expire.*set right/)).toMatchObject({
    severity: 'note',
  });
  const unrepaired = plan(view, { node: { expiringKeys: 7 }, policy: 'ttlRepair: false' });
  expect(about(unrepaired, /7 keys of shard-1 expire/)).toMatchObject({ severity: 'warning' });
  const tolerant = plan(view, { node: { expiringKeys: 7 }, policy: 'ttlTolerance: 1m' });
  expect(about(tolerant, /7 keys of shard-1 expire/)).toMatchObject({ severity: 'note' });
  expect(about(plan(view), /live up to/)).toBeUndefined();
  const newer = topology([{ releases: ['7.0.15', '7.0.15'] }]);
  expect(about(plan(newer, { node: { expiringKeys: 7 } }), /live up to/)).toBeUndefined();
});

test('a backlog smaller than the write rate asks for: grown where allowed, else what to set', () => {
  const view = topology([{ releases: old }]);
  const busy = { writeBytesPerSecond: 1024 ** 2 };
  expect(about(plan(view, { node: busy }), /120 s need 120\.0 MB\. It is enlarged/)).toMatchObject({
    severity: 'note',
  });
  expect(about(plan(view, { node: busy, policy: 'backlog: { grow: false }' }), /full resync/)).toMatchObject({
    severity: 'warning',
    next: expect.stringContaining('repl-backlog-size 125829120') as string,
  });
  expect(about(plan(view), /backlog/)).toBeUndefined();
});

test('what was not measured is said, not assumed', () => {
  const view = topology([{ releases: old }]);
  const it = makePlan({ deployment: deployment(), topology: view, to: '8.0.6', facts: { nodes: {} } });
  expect(about(it, /write rate of 10\.0\.1\.0:6379 was not measured/)).toMatchObject({ severity: 'warning' });
});

test('a dataset that takes longer to swap than the backlog provides for', () => {
  const view = topology([{ releases: old }]);
  const it = plan(view, { node: { datasetBytes: 20 * 1024 ** 3 } });
  expect(about(it, /longer than policy\.backlog\.seconds \(120\)/)).toMatchObject({ severity: 'warning' });
});

test('client settings that give up too early, with those that don’t', () => {
  const view = topology([{ releases: old }], { nodeTimeoutMs: 15_000 });
  const settings = [
    { name: 'checkout', retryDelayOnFailoverMs: 100, maxRedirections: 16 },
    { name: 'cart', retryDelayOnFailoverMs: 250, maxRedirections: 64 },
  ];
  const known = facts(view);
  const it = makePlan({
    deployment: deployment(),
    topology: view,
    to: '8.0.6',
    facts: { ...known, clientSettings: settings },
  });
  expect(about(it, /checkout would fail/)).toMatchObject({
    severity: 'warning',
    text: expect.stringContaining('16 × 100 ms = 1.6 s') as string,
    next: 'Set retryDelayOnFailover: 250, maxRedirections: 180.',
  });
  expect(about(it, /cart/)).toBeUndefined();
});

test('ioredis clients seen in CLIENT LIST and readers on a replica', () => {
  const node = { clients: [{ library: 'ioredis', count: 3, readOnly: 2 }] };
  const it = plan(topology([{ releases: old }]), { node });
  expect(about(it, /ioredis clients are connected/)).toMatchObject({ severity: 'warning' });
  expect(about(it, /2 clients read from the replica 10\.0\.1\.1:6379/)).toMatchObject({ severity: 'warning' });
  expect(about(it, /replica 10\.0\.1\.0:6379/)).toBeUndefined();
});

test('a primary without persistence, an append-only file, a module that isn’t built in', () => {
  const view = topology([{ releases: old }]);
  expect(about(plan(view, { node: { savePoints: '' } }), /no persistence/)).toMatchObject({ severity: 'warning' });
  expect(about(plan(view, { node: { appendOnly: true } }), /append-only/)).toMatchObject({ severity: 'note' });
  expect(about(plan(view, { node: { modules: ['bf', 'vectorset'] } }), /module bf/)).toMatchObject({
    severity: 'warning',
  });
  expect(about(plan(view, { node: { modules: ['vectorset'] } }), /module vectorset/)).toBeUndefined();
});

test('fast from a primary before 6.2 is safe, and says so', () => {
  const fast = 'handover: fast';
  expect(about(plan(topology([{ releases: old }]), { policy: fast }), /The safe one is used/)).toBeDefined();
  const newer = plan(topology([{ releases: ['6.2.14', '6.2.14'] }]), { policy: fast });
  expect(about(newer, /The safe one is used/)).toBeUndefined();
  expect(newer.shards[0]?.steps.find(({ kind }) => kind === 'handover')?.waitsFor).toContain(
    'writes paused and offsets equal',
  );
});

test('two shards at a time end sooner than one, and the soaks are counted once', () => {
  const soaks = 'canarySoak: 10m\nsettle: 30s\n';
  const one = plan(topology(three), { policy: soaks });
  const two = plan(topology(three), { policy: `${soaks}parallelShards: 3` });
  const soak = 3_600_000 + 600_000;
  expect(one.expectedMs).toBeGreaterThan(soak + 3 * 30_000);
  expect(two.expectedMs).toBeLessThan(one.expectedMs - 30_000);
  expect(two.expectedMs).toBeGreaterThan(soak + 30_000);
});

test('an approval for the upgrade is asked for in the first shard that is handed over, and listed once', () => {
  const policy = `roles: { engineering: [ana, ben] }
approvals:
  start: { roles: [engineering] }
  handover: { roles: [engineering], quorum: 2 }`;
  const it = plan(topology(three), { policy });
  expect(it.shards.map(({ steps }) => steps.filter(({ kind }) => kind === 'approval').length)).toEqual([1, 0, 0]);
  expect(it.approvals).toEqual([
    { approval: 'start', roles: ['engineering'], quorum: 1 },
    { approval: 'handover', roles: ['engineering'], quorum: 2 },
  ]);
});

test('with standbys the plan has their steps, what they take, and from when on there is no going back', () => {
  const view = topology([{ releases: ['5.0.6', '5.0.6'], bytes: 100 * 1024 ** 2 }]);
  const it = makePlan({
    deployment: deployment('fallback: standby'),
    ...{ topology: view, to: '8.0.6', facts: facts(view) },
  });
  expect(it.shards[0]?.steps.map(({ kind }) => kind)).toEqual([
    ...['add standby', 'upgrade replica', 'canary soak', 'freeze standby', 'handover', 'upgrade primary', 'verify'],
  ]);
  expect(it.shards[0]?.standby).toMatchObject({ release: '5.0.6', memoryBytes: Math.ceil(100 * 1024 ** 2 * 1.1) });
  expect(it.fallback).toMatchObject({ policy: 'standby', class: 'lossless' });
  const said = it.warnings.filter(({ subject }) => subject === 'fallback').map(({ text }) => text);
  expect(said).toEqual([
    expect.stringMatching(/^Standbys: 1 server of Redis 5.0.6 .* 110.0 MB of memory/),
    expect.stringMatching(/ACL SETUSER <user> -hexpire .* -vadd .*-function.restore$/),
    expect.stringMatching(/^Once the soak is over the standbys are removed: .*can't be taken back without loss/),
  ]);
});

test('a shard that was handed over already gets no standby any more, and a policy of backup none at all', () => {
  const view = topology([{ releases: ['8.0.6', '5.0.6'] }]);
  const input = { topology: view, to: '8.0.6', facts: facts(view) };
  const standby = makePlan({ deployment: deployment('fallback: standby'), ...input });
  expect(standby.shards[0]).not.toHaveProperty('standby');
  expect(standby.shards[0]?.steps.map(({ kind }) => kind)).not.toContain('add standby');
  const backup = makePlan({ deployment: deployment(), ...input });
  expect(backup.fallback).toMatchObject({ policy: 'backup', class: 'restore-only' });
  expect(backup.warnings.map(({ subject }) => subject)).not.toContain('fallback');
});
