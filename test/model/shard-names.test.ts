// Names go by slots, and somebody moves slots: an upgrade of shard-1 must not go on with another shard's nodes.
import { expect, test } from 'vitest';
import { membersOf, nameByMembers } from '../../model/shard-names.js';
import type { ShardView } from '../../model/topology.js';
import { topology } from './planning/topologies.js';

const { shards } = topology([{ releases: ['7.0.15', '7.0.15'] }, { releases: ['7.0.15', '7.0.15'] }]);
const [one, two] = shards as [ShardView, ShardView];
const known = membersOf(shards);
const named = (now: readonly ShardView[]): string[] => nameByMembers(now, known).map(({ name }) => name);

test('nothing changed: nothing is renamed', () => {
  expect(nameByMembers(shards, known)).toEqual(shards);
});

test('slots moved so that the order turned round', () => {
  expect(
    named([
      { ...two, name: 'shard-1' },
      { ...one, name: 'shard-2' },
    ]),
  ).toEqual(['shard-2', 'shard-1']);
});

test('a shard came in between, and gets a name that nobody has', () => {
  const stranger = { ...one.primary, id: 'f'.repeat(40), address: '10.0.9.0:6379' };
  const added = { ...one, name: 'shard-2', primary: stranger, replicas: [] };
  expect(named([one, added, { ...two, name: 'shard-3' }])).toEqual(['shard-1', 'shard-3', 'shard-2']);
});

test('failed over, and a replica moved to the other shard', () => {
  const [replica] = two.replicas;
  if (!replica) throw new Error('two nodes a shard');
  expect(named([{ ...one, primary: one.replicas[0] ?? one.primary, replicas: [one.primary] }, two])).toEqual([
    'shard-1',
    'shard-2',
  ]);
  expect(
    named([
      { ...one, replicas: [...one.replicas, replica] },
      { ...two, replicas: [] },
    ]),
  ).toEqual(['shard-1', 'shard-2']);
});
