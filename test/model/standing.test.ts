// What a person does at the end of an upgrade that stopped: nothing, because the end doesn't say what.
import { expect, test } from 'vitest';
import type { NodeStatus, OperationStatus } from '../../model/operation.js';
import { standingOf } from '../../model/standing.js';

const statement = (state: NodeStatus['state'], release = '5.0.6', reason = 'it failed'): string => {
  const node: NodeStatus = { address: '10.0.1.1:6379', role: 'replica', release, state };
  const status = {
    ...{ deployment: 'orders', to: '8.0.6', result: 'stopped', progress: { upgraded: 1, nodes: 6 } },
    shards: [{ shard: 'shard-1', state: 'stopped', phase: 'stopped', nodes: [node] }],
  } as unknown as OperationStatus;
  return standingOf(status, reason, false);
};

test.each(['failed', 'in progress'] as const)(
  'a node that is %s: how it is started by hand, and what comes then',
  (state) => {
    const said = statement(state);
    expect(said).toContain(`shard-1: 10.0.1.1:6379 is ${state} (5.0.6). If no process serves it, start it by hand`);
    expect(said).toContain('the server of 8.0.6 (or of 5.0.6');
    expect(said).toContain('--cluster-replica-no-failover yes');
    expect(said).toContain('The next rollout start takes it up');
  },
);

test('between two hops: how many nodes run which release, and the command that goes on', () => {
  const node = (release: string, state: NodeStatus['state']): NodeStatus => ({
    ...{ address: '10.0.1.1:6379', role: 'replica', release, state },
  });
  const standing = (hop: string, nodes: NodeStatus[], upgraded: number): string =>
    standingOf(
      {
        ...{ deployment: 'orders', via: ['7.0.15'], to: '7.2.4', hop, result: 'stopped' },
        ...{ progress: { upgraded, nodes: nodes.length }, shards: [{ shard: 'shard-1', nodes }] },
      } as unknown as OperationStatus,
      'it failed',
      false,
    );
  const first = standing('7.0.15', [node('7.0.15', 'upgraded'), node('5.0.6', 'waiting')], 1);
  expect(first).toContain('1 of 2 nodes run 7.0.15, none 7.2.4.');
  expect(first).toContain('rollout start orders --to 7.2.4 --via 7.0.15');
  const second = [node('7.2.4', 'upgraded'), node('7.0.15', 'waiting'), node('7.0.15', 'failed')];
  expect(standing('7.2.4', second, 1)).toContain('1 of 3 nodes run 7.0.15, 1 7.2.4.');
  expect(standing('7.2.4', second, 1)).toContain('the server of 7.2.4');
});

test('a node of the target already is started with that alone; one that is back needs nothing', () => {
  expect(statement('failed', '8.0.6')).not.toContain('.previous');
  expect(statement('reverted')).toContain('10.0.1.1:6379 is reverted (5.0.6).\n');
  expect(statement('reverted', '5.0.6', 'Nothing is left to do.')).toContain('stopped: Nothing is left to do.\n');
});

test('what was read at the end counts, and not what was told on the way', () => {
  const node = (n: number, state: NodeStatus['state']): NodeStatus => ({
    ...{ address: `10.0.1.${n}:6379`, role: 'replica', release: '5.0.6', state },
  });
  const status = {
    ...{ deployment: 'orders', to: '8.0.6', result: 'stopped', progress: { upgraded: 0, nodes: 3 } },
    shards: [{ shard: 'shard-1', nodes: [node(1, 'failed'), node(2, 'waiting'), node(3, 'waiting')] }],
  } as unknown as OperationStatus;
  const releases = new Map([
    ['10.0.1.1:6379', '8.0.6'],
    ['10.0.1.2:6379', '5.0.6'],
  ]);
  const running = { releases, away: ['10.0.1.3:6379'] };
  const said = standingOf(status, 'it failed', false, running);
  expect(said).toContain('1 of 3 nodes run 8.0.6.');
  expect(said).toContain('shard-1: 10.0.1.1:6379 is failed (8.0.6).');
  expect(said).toContain('shard-1: 10.0.1.3:6379 does not answer (it ran 5.0.6). If no process serves it, start it');
  expect(said).not.toContain('10.0.1.2');
  expect(standingOf(status, 'it failed', false, { releases, away: [] })).toContain(
    'shard-1: 10.0.1.3:6379 is no member of the cluster any more (it ran 5.0.6)',
  );
});

test('where every node is upgraded no start is named that would be refused; one that was not given back needs one', () => {
  const said = (state: NodeStatus['state'], release: string): string =>
    standingOf(
      {
        ...{ deployment: 'orders', to: '8.0.6', result: 'aborted', progress: { upgraded: 1, nodes: 1 } },
        shards: [{ shard: 'shard-1', nodes: [{ address: '10.0.1.1:6379', role: 'primary', release: '8.0.6', state }] }],
      } as unknown as OperationStatus,
      'aborted by ana',
      false,
      { releases: new Map([['10.0.1.1:6379', release]]), away: [] },
    );
  expect(said('upgraded', '8.0.6')).toContain('\nNothing is left to upgrade. ');
  expect(said('upgraded', '8.0.6')).not.toContain('rollout start');
  for (const it of [said('waiting', '8.0.6'), said('upgraded', '5.0.6')])
    expect(it).toContain('To go on where it stands: rollout start orders --to 8.0.6');
});
