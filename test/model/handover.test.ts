// A failover that says OK and does not happen, or promotes the wrong node: each precondition by itself.
import { expect, test } from 'vitest';
import { couldReplace, mayHandOver, mayTakeOver, type ShardObservation } from '../../model/handover.js';
import { chooseSuccessor, replicaOrder } from '../../model/planning/order.js';
import type { NodeView, ShardView } from '../../model/topology.js';
import { deployment, topology } from './planning/topologies.js';

const { policy } = deployment();
const candidate = '10.0.1.1:6379';

function shardOf(releases: string[], lags: number[] = []): ShardView {
  const [shard] = topology([{ releases, lags }]).shards;
  if (!shard) throw new Error('no shard');
  return shard;
}
const shard = shardOf(['5.0.6', '8.0.6', '8.0.6']);
const node = shard.replicas[0] as NodeView;
const good: ShardObservation = {
  shard,
  primaries: ['10.0.1.0:6379', '10.0.2.0:6379', '10.0.3.0:6379'].map((address) => ({
    address,
    reachable: true,
    knows: shard.replicas.map(({ id }) => id),
    currentEpoch: 7,
  })),
  verified: [candidate],
  sinceRoleChangeMs: 60_000,
  nodeTimeoutMs: 5000,
};
const withNode = (change: Partial<NonNullable<NodeView['replication']>>): ShardObservation => ({
  ...good,
  shard: {
    ...shard,
    replicas: [{ ...node, replication: { ...(node.replication as NonNullable<NodeView['replication']>), ...change } }],
  },
});
const withPrimary = (i: number, change: object): ShardObservation => ({
  ...good,
  primaries: good.primaries.map((it, n) => (n === i ? { ...it, ...change } : it)),
});

test('a verified, linked candidate that every primary knows may take over', () => {
  expect(mayHandOver(good, candidate, policy)).toEqual({ state: 'pass' });
  expect(mayHandOver({ ...good, sinceRoleChangeMs: undefined }, candidate, policy)).toEqual({ state: 'pass' });
});

test.each([
  ['it is no replica of the shard', good, '10.0.9.9:6379', 'fail', /no replica of shard-1/],
  ['it was not verified', { ...good, verified: [] }, candidate, 'wait', /not compared/],
  ['its link is down', withNode({ link: 'down' }), candidate, 'wait', /lost its replication link/],
  ['it loads', withNode({ loading: true }), candidate, 'wait', /loading/],
  ['it takes a full sync', withNode({ syncing: true }), candidate, 'wait', /full sync/],
  ['it lags', withNode({ offset: 0, primary: '10.0.1.0:6379' }), candidate, 'pass', /./],
  [
    'it follows somebody else',
    withNode({ primary: '10.0.1.2:6379' }),
    candidate,
    'wait',
    /replicates 10\.0\.1\.2:6379/,
  ],
  ['a failover is under way', { ...good, failoverUnderWay: '10.0.1.2:6379' }, candidate, 'wait', /failover under way/],
  ['one primary does not know it', withPrimary(1, { knows: [] }), candidate, 'wait', /10\.0\.2\.0:6379 doesn't know/],
  [
    'its own primary is silent',
    withPrimary(0, { reachable: false }),
    candidate,
    'wait',
    /10\.0\.1\.0:6379 can't be reached/,
  ],
  ['no primary was asked', { ...good, primaries: [] }, candidate, 'wait', /0 of 0 primaries/],
  ['roles changed just now', { ...good, sinceRoleChangeMs: 1500 }, candidate, 'wait', /roles changed 1\.5 s ago/],
  [
    'its links were made anew just now, by nobody of ours',
    { ...good, sinceRoleChangeMs: undefined, sinceRelinkMs: 2000 },
    candidate,
    'wait',
    /replicas of 10\.0\.1\.0:6379 linked to it anew: somebody may have failed shard-1 over 2\.0 s ago/,
  ],
  [
    'the node timeout asks for longer than policy.settle',
    { ...good, nodeTimeoutMs: 15_000, sinceRoleChangeMs: 20_000 },
    candidate,
    'wait',
    /20 s ago/,
  ],
] as [string, ShardObservation, string, string, RegExp][])('%s', (_, observation, who, state, reason) => {
  // The lag of one megabyte minus a little is within maxLag; past it below.
  const verdict = mayHandOver(observation, who, policy);
  expect(verdict.state).toBe(state);
  if (state !== 'pass') expect(verdict.reason).toMatch(reason);
});

test('a candidate further behind than maxLag waits', () => {
  const strict = { ...policy, gates: { ...policy.gates, maxLag: 10 } };
  expect(mayHandOver(withNode({ offset: 999_980 }), candidate, strict)).toMatchObject({
    state: 'wait',
    reason: expect.stringContaining('20 B behind') as string,
  });
});

test('a node of an older version than its primary is never promoted: it drops what it can’t parse', () => {
  const newer = shardOf(['8.0.6', '5.0.6']);
  const verdict = mayHandOver({ ...good, shard: newer }, candidate, policy);
  expect(verdict).toMatchObject({ state: 'fail', clears: 'never promote it' });
});

test.each([
  ['its link is down', withNode({ link: 'down' }), 'wait', /lost its replication link/],
  ['it loads', withNode({ loading: true }), 'wait', /loading/],
  ['it follows somebody else', withNode({ primary: '10.0.1.2:6379' }), 'wait', /replicates 10\.0\.1\.2:6379/],
  ['it is of an older line', { ...good, shard: shardOf(['8.0.6', '5.0.6']) }, 'fail', /older than its primary/],
] as [string, ShardObservation, string, RegExp][])(
  'no override hands over to a replica while %s',
  (_, seen, state, why) => {
    const verdict = couldReplace(seen.shard.primary, seen.shard.replicas[0] as NodeView);
    expect(verdict).toMatchObject({ state, reason: expect.stringMatching(why) as string });
  },
);

test('a replica that could replace its primary may be far behind it: that much is the gate’s to judge', () =>
  expect(couldReplace(shard.primary, withNode({ offset: 0 }).shard.replicas[0] as NodeView).state).toBe('pass'));

test('most primaries silent: no majority could vote', () => {
  const primaries = good.primaries.map((it, i) => ({ ...it, reachable: i === 0 }));
  expect(mayHandOver({ ...good, primaries }, candidate, policy)).toMatchObject({ state: 'wait' });
});

test.each([
  ['the old primary is 5.0.6', good, 'fail', /6\.2/],
  [
    'a primary is silent',
    { ...withPrimary(2, { reachable: false }), shard: shardOf(['6.2.14', '8.0.6']) },
    'fail',
    /10\.0\.3\.0:6379/,
  ],
  // A shard that is handed over beside this one does both, for a moment.
  ['epochs differ', { ...withPrimary(2, { currentEpoch: 8 }), shard: shardOf(['6.2.14', '8.0.6']) }, 'wait', /7, 8/],
  [
    'a failover is under way',
    { ...good, failoverUnderWay: 'x:1', shard: shardOf(['6.2.14', '8.0.6']) },
    'wait',
    /under way/,
  ],
] as [string, ShardObservation, string, RegExp][])(
  'no takeover without a vote while %s',
  (_, observation, state, reason) => {
    const verdict = mayTakeOver({ ...observation, primary: observation.shard.primary });
    expect(verdict.state).toBe(state);
    expect(verdict.reason).toMatch(reason);
  },
);

test('a takeover may skip the vote where nobody could disagree', () =>
  expect(mayTakeOver({ ...good, primary: shardOf(['6.2.14', '8.0.6']).primary })).toEqual({ state: 'pass' }));

test('the successor is upgraded, linked and verified, with the highest offset; nobody else', () => {
  const lagged = shardOf(['5.0.6', '8.0.6', '8.0.6', '5.0.6'], [50, 20, 0]);
  expect(chooseSuccessor(lagged, '8.0.6')?.address).toBe('10.0.1.2:6379');
  expect(chooseSuccessor(lagged, '8.0.6', ['10.0.1.1:6379'])?.address).toBe('10.0.1.1:6379');
  expect(chooseSuccessor(lagged, '8.0.6', [])).toBeUndefined();
  expect(chooseSuccessor(withNode({ link: 'down' }).shard, '8.0.6')).toBeUndefined();
  expect(chooseSuccessor(withNode({ loading: true }).shard, '8.0.6')).toBeUndefined();
  expect(chooseSuccessor(shardOf(['5.0.6', '5.0.6']), '8.0.6')).toBeUndefined();
  expect(replicaOrder(lagged, '8.0.6').map(({ address }) => address)).toEqual(['10.0.1.3:6379']);
});
