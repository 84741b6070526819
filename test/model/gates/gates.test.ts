// A gate that passes because it saw nothing would let an upgrade run blind.
import { expect, test } from 'vitest';
import { evaluateGates, gatesOf } from '../../../model/gates/evaluate.js';
import type { GateObservation, ProbeWindow, StandbySeen } from '../../../model/gates/observation.js';
import { allNodes, type NodeView } from '../../../model/topology.js';
import type { Verdict } from '../../../model/verdict.js';
import { deployment, topology } from '../planning/topologies.js';

const GB = 1024 ** 3;
const { policy } = deployment(`fallback: standby
gates:
  prometheus:
    url: http://p:9090
    queries: [{ name: checkout, query: errors, below: 0.5 }, { name: traffic, query: rate, above: 1, below: 9 }]`);
const view = topology([{ releases: ['5.0.6', '5.0.6'] }, { releases: ['5.0.6', '5.0.6'] }]);
const following = (shard: string): StandbySeen => ({
  ...{ shard, address: `standby of ${shard}`, release: '5.0.6', state: 'frozen', answers: true },
  follow: {
    ...{
      shard,
      at: 0,
      ageMs: 400,
      phase: 'following' as const,
      primary: 'p',
      standby: 's',
      lagBytes: 1000,
      lagMs: 20,
      lagMsMax: 90,
      commands: 9,
    },
    ...{ rewritten: 1, recopied: 0, dirty: 0, notRepresentable: [] },
  },
});
const window: ProbeWindow = { operations: 2000, failed: 0, p99Ms: 3, ageMs: 500 };
const good: GateObservation = {
  standbys: ['shard-1', 'shard-2'].map(following),
  topology: view,
  resources: Object.fromEntries(
    allNodes(view).map(({ address }) => [
      address,
      { diskFreeBytes: 50 * GB, memoryFreeBytes: 4 * GB, memoryTotalBytes: 8 * GB },
    ]),
  ),
  clocks: Object.fromEntries(allNodes(view).map(({ address }) => [address, { ms: 12, uncertaintyMs: 1 }])),
  latencies: Object.fromEntries(allNodes(view).map(({ address }) => [address, 0.4])),
  probe: { 'shard-1': window, 'shard-2': window },
  prometheus: {
    checkout: { ok: true, samples: [{ labels: {}, value: 0.1 }] },
    traffic: {
      ok: true,
      samples: [
        { labels: { shop: 'a' }, value: 2 },
        { labels: { shop: 'b' }, value: 3 },
      ],
    },
  },
};

const judge = (observation: GateObservation, gate: string): Verdict | undefined =>
  evaluateGates(observation, policy, [gate])[0]?.verdict;
const withNode = (change: Partial<NodeView>): GateObservation => ({
  ...good,
  topology: {
    ...view,
    shards: view.shards.map((shard, i) =>
      i === 0 ? { ...shard, replicas: shard.replicas.map((it) => ({ ...it, ...change })) } : shard,
    ),
  },
});
const link = { primary: '10.0.1.0:6379', link: 'up' as const, offset: 1_000_000, loading: false, syncing: false };
const withProbe = (change: Partial<ProbeWindow>): GateObservation => ({
  ...good,
  probe: { ...good.probe, 'shard-2': { ...window, ...change } },
});
const withLatency = (change: Record<string, number>): GateObservation => ({
  ...good,
  latencies: { ...good.latencies, ...change },
});
const withClock = (ms: number, uncertaintyMs = 1): GateObservation => ({
  ...good,
  clocks: { ...good.clocks, '10.0.1.1:6379': { ms, uncertaintyMs } },
});
const withSamples = (...values: number[]): GateObservation => ({
  ...good,
  prometheus: {
    ...good.prometheus,
    traffic: { ok: true, samples: values.map((value, i) => ({ labels: { __name__: 'rate', shop: `${i}` }, value })) },
  },
});

test('all is well: every gate passes, the built-in ones and the queries', () => {
  const results = evaluateGates(good, policy);
  expect(results.map(({ gate }) => gate)).toEqual([...gatesOf(policy)]);
  expect(gatesOf(policy)).toEqual(expect.arrayContaining(['topology', 'errors', 'checkout', 'traffic']));
  expect(results.filter(({ verdict }) => verdict.state !== 'pass')).toEqual([]);
});

test.each([
  [
    'topology',
    { ...good, topology: { ...view, disagreements: ['10.0.1.1:6379 sees 10.0.2.0:6379 fail'] } },
    'wait',
    /sees 10\.0\.2\.0:6379 fail/,
  ],
  ['replication', withNode({ replication: { ...link, link: 'down' } }), 'wait', /10\.0\.1\.1:6379 has lost its link/],
  ['replication', withNode({ replication: { ...link, loading: true } }), 'wait', /loading/],
  ['replication', withNode({ replication: { ...link, syncing: true } }), 'wait', /full sync/],
  ['replication', withNode({ replication: { ...link, primary: '10.0.2.0:6379' } }), 'wait', /follows 10\.0\.2\.0:6379/],
  ['replication', { ...good, topology: topology([{ releases: ['5.0.6'] }]) }, 'fail', /shard-1 has no replica/],
  [
    'lag',
    withNode({ offset: 0, replication: { ...link, offset: 1_000_000 - 2 * 1024 ** 2 } }),
    'wait',
    /2\.0 MB behind/,
  ],
  [
    'memory',
    withNode({ maxMemoryBytes: 100, usedMemoryBytes: 95 }),
    'fail',
    /10\.0\.1\.1:6379 has 5 % of its maxmemory free/,
  ],
  ['memory', withNode({ maxMemoryBytes: 100, usedMemoryBytes: 120 }), 'fail', /0 %/],
  ['disk', withNode({ usedMemoryBytes: 30 * GB }), 'fail', /50\.0 GB of disk free for 30\.0 GB/],
  ['latency', withProbe({ p99Ms: 250 }), 'wait', /250 ms on shard-2/],
  [
    'latency',
    withLatency({ '10.0.1.1:6379': 800 }),
    'wait',
    /replica 10\.0\.1\.1:6379 \(5\.0\.6\) takes 800 ms to answer PING, the others at most 1 ms/,
  ],
  ['latency', withLatency({ '10.0.1.1:6379': Number.NaN }), 'wait', /10\.0\.1\.1:6379/],
  ['latency', { ...good, latencies: {} }, 'wait', /10\.0\.1\.0:6379.* did not answer PING/],
  [
    'latency',
    { ...withLatency({ '10.0.1.1:6379': 800 }), probe: { 'shard-1': window } },
    'wait',
    /takes 800 ms.*; the probe has nothing .* on shard-2/,
  ],
  ['errors', withProbe({ failed: 1 }), 'wait', /1 of 2000 on shard-2/],
  [
    'clock',
    withClock(30_000),
    'wait',
    /clock of 10\.0\.1\.1:6379 is 30 s ahead of .*drops keys 30 s before their time/,
  ],
  ['clock', withClock(-2500), 'wait', /10\.0\.1\.1:6379 is 2\.5 s behind .*keeps keys 2\.5 s beyond their time/],
  ['traffic', withSamples(5, 0.5), 'wait', /0\.5 \(shop=1\)/],
  ['traffic', withSamples(9), 'wait', /rate is 9/],
  ['traffic', withSamples(Infinity), 'wait', /Infinity/],
] as [string, GateObservation, Verdict['state'], RegExp][])(
  '%s does not pass: %#',
  (gate, observation, state, reason) => {
    const verdict = judge(observation, gate);
    expect(verdict?.state).toBe(state);
    expect(verdict?.reason).toMatch(reason);
    expect(verdict).toHaveProperty('clears', expect.stringMatching(/./));
  },
);

const nothing: GateObservation = {
  standbys: [],
  topology: { shards: [], disagreements: [], nodeTimeoutMs: 5000 },
  resources: {},
  clocks: {},
  latencies: {},
  probe: {},
  prometheus: {},
};
test.each(gatesOf(policy))('%s never passes on no data at all', (gate) => {
  expect(judge(nothing, gate)?.state).not.toBe('pass');
});

test.each([
  ['memory', { ...good, resources: {} }],
  [
    'memory',
    {
      ...good,
      resources: { ...good.resources, '10.0.1.1:6379': { diskFreeBytes: 0, memoryFreeBytes: 0, memoryTotalBytes: 0 } },
    },
  ],
  ['disk', { ...good, resources: {} }],
  ['clock', { ...good, clocks: {} }],
  ['clock', withClock(Number.NaN)],
  ['latency', { ...good, probe: { 'shard-1': window } }],
  ['errors', { ...good, probe: {} }],
  ['latency', withProbe({ ageMs: 60_000 })],
  ['errors', withProbe({ operations: 0 })],
  ['latency', withProbe({ p99Ms: Number.NaN })],
  ['errors', withProbe({ failed: Number.NaN })],
  ['lag', withNode({ offset: Number.NaN, replication: { ...link, offset: Number.NaN } })],
  ['replication', withNode({ replication: undefined as never })],
  ['traffic', withSamples()],
  ['traffic', withSamples(Number.NaN)],
  ['traffic', { ...good, prometheus: {} }],
] as [string, GateObservation][])('%s waits where data is missing: %#', (gate, observation) => {
  expect(judge(observation, gate)?.state).toBe('wait');
});

test('Prometheus that can’t be reached fails its gates with its own words, and no other', () => {
  const error = 'Prometheus at http://p:9090 can’t be reached: ECONNREFUSED';
  const down = {
    ...good,
    prometheus: { checkout: { ok: false as const, error }, traffic: { ok: false as const, error } },
  };
  const states = evaluateGates(down, policy).filter(({ verdict }) => verdict.state !== 'pass');
  expect(states).toEqual([
    { gate: 'checkout', verdict: { state: 'fail', reason: error, clears: 'Prometheus answers errors' } },
    { gate: 'traffic', verdict: { state: 'fail', reason: error, clears: 'Prometheus answers rate' } },
  ]);
});

test('a probe that is switched off passes, and says that nothing was measured', () => {
  const off = deployment('probe: { enabled: false }').policy;
  for (const { verdict } of evaluateGates({ ...good, probe: {} }, off, ['latency', 'errors']))
    expect(verdict).toMatchObject({
      state: 'pass',
      reason: expect.stringContaining('not measured: the probe is switched off (policy.probe.enabled)') as string,
    });
  // The nodes themselves are asked all the same.
  expect(evaluateGates({ ...good, probe: {}, latencies: {} }, off, ['latency'])[0]?.verdict.state).toBe('wait');
});

test('a slip in a gate’s name does not open the way', () => {
  expect(judge(good, 'memroy')).toMatchObject({ state: 'fail', reason: expect.stringContaining('memory') as string });
});

test('the thresholds themselves still pass', () => {
  expect(judge(withProbe({ p99Ms: 100 }), 'latency')?.state).toBe('pass');
  expect(judge(withNode({ maxMemoryBytes: 100, usedMemoryBytes: 90 }), 'memory')?.state).toBe('pass');
  expect(judge(withNode({ usedMemoryBytes: 25 * GB }), 'disk')?.state).toBe('pass');
  expect(judge(withNode({ replication: { ...link, offset: 1_000_000 - 1024 ** 2 } }), 'lag')?.state).toBe('pass');
});

test('an older replica of a newer primary is not waited for: only its own upgrade brings its link up', () => {
  const broken = { ...link, link: 'down' as const, offset: 0 };
  const behindNewer: GateObservation = {
    ...good,
    topology: {
      ...view,
      shards: view.shards.map((shard, i) =>
        i === 0
          ? {
              ...shard,
              primary: { ...shard.primary, release: '8.0.6' },
              replicas: shard.replicas.map((it) => ({ ...it, release: '5.0.6', replication: broken })),
            }
          : shard,
      ),
    },
  };
  expect(judge(behindNewer, 'replication')).toMatchObject({
    state: 'pass',
    reason: expect.stringContaining('10.0.1.1:6379') as string,
  });
  expect(judge(behindNewer, 'lag')?.state).toBe('pass');
  expect(judge(withNode({ replication: broken }), 'replication')?.state).toBe('wait');
});

const withStandby = (change: Partial<StandbySeen>): GateObservation => ({
  ...good,
  standbys: [following('shard-1'), { ...following('shard-2'), ...change }],
});
const follow = following('shard-2').follow;
const comparison = {
  ...{ keys: 9, expectedKeys: 9, passes: 1, different: 1, found: 2, repaired: 1, notCompared: [] },
  examples: [
    { key: 'cart:1', what: 'string: 1 bytes', repaired: true },
    { key: 'cart:2', what: 'missing on the standby (a string on the primary)', repaired: false },
  ],
};

test.each<[string, Partial<StandbySeen>, RegExp]>([
  ['that does not answer', { answers: false }, /does not answer/],
  ['that is still syncing', { state: 'syncing', link: 'down' }, /not in sync yet/],
  ['whose follower never said anything', { follow: undefined as never }, /nothing is heard/],
  ['whose follower fell silent', { follow: { ...follow, ageMs: 10_001 } as never }, /nothing is heard/],
  ['that is far behind in bytes', { follow: { ...follow, lagBytes: 17 * 1024 ** 2 } as never }, /17.0 MB behind/],
  ['that is far behind in time', { follow: { ...follow, lagMs: 11_000 } as never }, /11 s behind/],
  ['whose lag is no number', { follow: { ...follow, lagBytes: Number.NaN } as never }, /behind/],
  [
    'that is given nothing',
    { follow: { ...follow, phase: 'waiting', waitsFor: 'connection refused' } as never },
    /connection refused/,
  ],
  [
    'with a key that is not as at the primary',
    { follow: { ...follow, comparison } as never },
    /^1 key of standby of shard-2, the standby of shard-2, is not as at the primary, and copied again \(cart:2: missing on the standby \(a string on the primary\)\)$/,
  ],
  [
    'that would expire keys before their time',
    { clock: { own: { ms: 30_010, uncertaintyMs: 5 }, primary: { ms: 10, uncertaintyMs: 5 }, of: '10.0.2.1:6379' } },
    /^the clock of standby of shard-2 is 30 s ahead of 10\.0\.2\.1:6379's: as a primary, .* drops keys 30 s before their time$/,
  ],
])('the gate standby waits for one %s', (_, change, reason) => {
  expect(judge(withStandby(change), 'standby')).toMatchObject({
    state: 'wait',
    reason: expect.stringMatching(reason) as string,
  });
});

test('the gate standby fails where going back would lose something, unless the policy only warns', () => {
  const notRepresentable = [{ what: 'field TTL', count: 2, examples: ['cart:1', 'cart:2'] }];
  const cases = [
    withStandby({ follow: { ...follow, notRepresentable } as never }),
    { ...good, standbys: [following('shard-1')] },
  ];
  for (const seen of cases) {
    const reason = expect.stringMatching(
      /field TTL of 2 keys of shard-2 \(cart:1, cart:2\)|shard-2 has no standby/,
    ) as string;
    expect(judge(seen, 'standby')).toMatchObject({ state: 'fail', reason });
    const [warned] = evaluateGates(seen, { ...policy, fallbackLost: 'warn' }, ['standby']);
    expect(warned?.verdict).toMatchObject({ state: 'pass', reason });
  }
});

test('the gate standby passes again once a key that differed was put right', () => {
  const right = { ...comparison, different: 0, repaired: 2 };
  expect(judge(withStandby({ follow: { ...follow, comparison: right } as never }), 'standby')?.state).toBe('pass');
});

test('without standbys by policy the gate standby has nothing to hold', () => {
  const [result] = evaluateGates({ ...good, standbys: [] }, { ...policy, fallback: 'backup' }, ['standby']);
  expect(result?.verdict.state).toBe('pass');
});
