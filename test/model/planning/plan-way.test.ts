// A plan of two hops that forgets who is primary after the first would send people to the wrong nodes.
import { expect, test } from 'vitest';
import { blockersOf, hopsOf } from '../../../model/plan.js';
import { planWay } from '../../../model/planning/plan-way.js';
import { deployment, facts, topology } from './topologies.js';

const policy = `approvals:
  start: { roles: [engineering] }
  handover: { roles: [engineering], per: shard }
  finalize: { roles: [engineering] }
roles: { engineering: [ana] }`;
const old = topology([{ releases: ['5.0.6', '5.0.6'] }, { releases: ['5.0.6', '5.0.6'] }]);
const way = (stops: string[], view = old) =>
  planWay({ deployment: deployment(policy), topology: view, facts: facts(view) }, stops);

test('each hop is planned on the cluster as the one before leaves it', () => {
  const hops = hopsOf(way(['7.0.15', '7.2.4']));
  expect(hops.map(({ from, to }) => [from, to])).toEqual([
    ['5.0.6', '7.0.15'],
    ['7.0.15', '7.2.4'],
  ]);
  expect(hops.map(({ shards }) => shards.find(({ shard }) => shard === 'shard-1')?.primary)).toEqual([
    '10.0.1.0:6379',
    '10.0.1.1:6379',
  ]);
  expect(hops.every(({ canary }) => canary !== undefined)).toBe(true);
  expect(hops.flatMap(blockersOf)).toEqual([]);
});

test('start and finalize are asked once, each hop’s handovers under its own name', () => {
  expect(hopsOf(way(['7.0.15', '7.2.4'])).map(({ approvals }) => approvals.map((it) => it.approval))).toEqual([
    ['start', 'handover:7.0.15:shard-1', 'handover:7.0.15:shard-2'],
    ['handover:7.2.4:shard-1', 'handover:7.2.4:shard-2', 'finalize'],
  ]);
  expect(way(['8.0.6']).approvals.map((it) => it.approval)).toEqual([
    ...['start', 'handover:shard-1', 'handover:shard-2', 'finalize'],
  ]);
});

test('what blocks a later hop blocks the whole', () => {
  expect(blockersOf(way(['6.2.14', '7.2.4'])).map(({ text }) => text)).toEqual([
    expect.stringContaining("orders can't go from 6.2.14 to 7.2.4"),
  ]);
});
