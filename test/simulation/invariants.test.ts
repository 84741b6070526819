import { beforeEach, expect, test } from 'vitest';
import { SimulatedCluster, type SimulatedNode, type SimulatedShard } from '../../scripts/simulation/cluster.js';
import { FROM, TO } from '../../scripts/simulation/attempts.js';
import { SimulatedDeployment } from '../../scripts/simulation/deployment.js';
import { invariants } from '../../scripts/simulation/invariants.js';
import { Random } from '../../scripts/simulation/random.js';
import { checkStatement } from '../../scripts/simulation/statement.js';
import type { OperationStatus } from '../../model/operation.js';

// Each invariant is broken on purpose: a check that says nothing then would say nothing in a simulation either.

let told: string[];
let cluster: SimulatedCluster;
let shard: SimulatedShard;
let primary: SimulatedNode;
let replica: SimulatedNode;

beforeEach(() => {
  told = [];
  const size = { shards: 1, replicas: 1, release: FROM };
  cluster = new SimulatedCluster(size, new Random(1), (invariant) => void told.push(invariant));
  shard = cluster.shard('shard-1');
  [primary, replica] = shard.nodes as [SimulatedNode, SimulatedNode];
});

const settle = (): void => {
  for (let looks = 0; looks < 50; looks++) cluster.pass(shard, 100);
};

test('a shard that nothing is done to breaks none', () => {
  settle();
  cluster.check(shard);
  expect(told).toEqual([]);
  expect(replica.memory).toEqual(primary.memory);
});

test('a primary that is stopped', () => {
  shard.backedUp = true;
  cluster.stop(primary);
  expect(told).toEqual([invariants.stopPrimary]);
});

test('a node that is stopped before there is a backup', () => {
  cluster.stop(replica);
  expect(told).toEqual([invariants.backupFirst]);
});

test('a replica that is promoted before it was compared, by an operation or by a vote', () => {
  shard.backedUp = true;
  cluster.stop(replica);
  cluster.start(replica, TO, replica.file);
  settle();
  replica.noFailover = false;
  cluster.check(shard);
  expect(told, 'it may be elected').toEqual([invariants.promoteUnready]);
  cluster.crash(primary);
  expect(told, 'it was').toEqual([invariants.promoteUnready, invariants.promoteUnready]);
});

test('a replica that lags and is promoted all the same: what it lacks is lost', () => {
  replica.link = 'down';
  primary.memory.offset += 5000;
  cluster.handOver(shard, replica);
  expect(told).toContain(invariants.promoteUnready);
  expect(told).toContain(invariants.lost);
  expect(cluster.lost).toBeGreaterThanOrEqual(5000);
});

test('an old follower of a newer primary that may be promoted, and what it saved being started from', () => {
  shard.backedUp = true;
  cluster.stop(replica);
  cluster.start(replica, TO, replica.file);
  settle();
  Object.assign(replica, { verified: true, noFailover: false });
  cluster.handOver(shard, replica);
  settle();
  cluster.check(shard);
  expect(told).toEqual([invariants.oldFollower]);
  cluster.stop(primary);
  cluster.start(primary, TO, primary.memory);
  expect(told).toEqual([invariants.oldFollower, invariants.oldFollower]);
});

test('an old node that has to take a full sync of a newer primary empties itself', () => {
  shard.backedUp = true;
  primary.release = TO;
  cluster.stop(replica);
  cluster.start(replica, FROM, undefined);
  settle();
  expect(told).toContain(invariants.oldFullSync);
  expect(replica.memory.offset).toBe(0);
});

test('a statement that counts no nodes, though something was touched', () => {
  const deployment = new SimulatedDeployment('orders', { seed: 1, shards: 1, faults: 'none' });
  const ended = (statement: string) => ({ result: 'stopped', statement, shards: [] }) as unknown as OperationStatus;
  checkStatement(deployment, ended('orders: a gate is closed\nNothing was touched.'));
  checkStatement(deployment, ended('0 of 2 nodes run 8.0.6.'));
  expect(deployment.violations).toEqual([]);
  checkStatement(deployment, ended('orders was stopped: it failed.'));
  expect(deployment.violations).toMatchObject([{ invariant: invariants.statement }]);
});

test('a statement that is not true, and an upgrade that is called complete and is not', () => {
  const deployment = new SimulatedDeployment('orders', { seed: 1, shards: 1, faults: 'none' });
  const [first] = deployment.cluster.nodes;
  const node = { address: first?.address ?? '', role: 'primary', release: TO, state: 'upgraded' } as const;
  const status = {
    ...{ result: 'stopped', statement: '1 of 2 nodes run 8.0.6.' },
    shards: [{ shard: 'shard-1', state: 'stopped', phase: 'stopped', nodes: [node] }],
  } as unknown as OperationStatus;
  checkStatement(deployment, status);
  checkStatement(deployment, { ...status, result: 'completed' });
  expect(deployment.violations.map(({ invariant }) => invariant)).toEqual([
    invariants.statement,
    invariants.completed,
    invariants.completed,
  ]);
});
