// What a person does when the fallback within an upgrade stopped: starts the upgrade, which would upgrade again what is back.
import { expect, test } from 'vitest';
import type { GoingBack, NodeStatus, OperationStatus } from '../../../model/operation.js';
import { reportVerdict } from '../../../model/report/report-verdict.js';
import { goOn, standingOf, type Running } from '../../../model/standing.js';
import { sampleReport } from '../report/sample.js';

const [BACK, NOT_BACK, AWAY] = ['10.0.1.1:6379', '10.0.2.1:6379', '10.0.2.2:6379'];
const node = (address: string, release: string, state: NodeStatus['state']): NodeStatus => ({
  ...{ address, role: 'replica', release, state },
});

const upgrade = (news: Partial<GoingBack> = {}): OperationStatus =>
  ({
    ...{ deployment: 'orders', operation: 'upgrade', from: '5.0.6', to: '8.0.6', result: 'stopped', waiting: [] },
    progress: { upgraded: 1, nodes: 3 },
    goingBack: { to: '5.0.6', by: 'ana', restore: false, ...news },
    shards: [
      { shard: 'shard-1', nodes: [node(BACK, '5.0.6', 'reverted')] },
      { shard: 'shard-2', nodes: [node(NOT_BACK, '8.0.6', 'failed'), node(AWAY, 'unknown', 'failed')] },
    ],
  }) as unknown as OperationStatus;

const running: Running = {
  releases: new Map([
    [BACK, '5.0.6'],
    [NOT_BACK, '8.0.6'],
  ]),
  away: [AWAY],
};

test('it says what is back and what is not, and that the fallback goes on, not the upgrade', () => {
  for (const seen of [running, undefined]) {
    const said = standingOf(upgrade(), 'shard-2 did not come back to 5.0.6: its disk is gone.', false, seen);
    expect(said).toContain(
      'The fallback of orders from 8.0.6, which ana asked for, was stopped: shard-2 did not come back to 5.0.6: its disk is gone.\n1 of 3 nodes run 5.0.6.\n',
    );
    expect(said).toContain('\nNot back yet: shard-2.');
    expect(said).toMatch(/\nTo go on where it stands: rollout fallback orders --reason "…"$/);
    expect(said).not.toContain('rollout start');
  }
  expect(standingOf(upgrade(), 'it failed', false, running)).toContain(`\n${AWAY} does not answer.\n`);
});

test('of one shard, or with a restore, the command is the one that was given', () => {
  const said = standingOf(upgrade({ shard: 'shard-1', restore: true }), 'it failed', false, running);
  expect(said).toContain('The fallback of shard-1 from 8.0.6');
  expect(said).toContain('rollout fallback orders --shard shard-1 --restore --reason "…"');
  expect(said).not.toContain('Not back yet');
});

test('the report names the same command, and one of a fallback by itself never names a start', () => {
  const data = sampleReport({ outcome: 'stopped' });
  data.status.goingBack = { to: '5.0.6', by: 'ana', restore: false };
  const said = { why: 'The same fallback again continues where it stood', command: expect.any(String) as string };
  expect(reportVerdict(data).next).toEqual([{ ...said, command: 'rollout fallback orders --reason "…"' }]);
  delete data.status.goingBack;
  data.status.operation = 'fallback';
  expect(reportVerdict(data).next).toEqual([{ ...said, command: 'rollout fallback orders --reason "…"' }]);
  expect(reportVerdict(data).sentence).toMatch(/^The fallback of orders from .* 3 of 6 nodes back/);
  expect(goOn(upgrade({ restore: true })).map(({ command }) => command)).toEqual([
    'rollout fallback orders --restore --reason "…"',
  ]);
});

test('of one that was refused the upgrade stands where it had come to: both ways are named, and the way back first', () => {
  const data = sampleReport({ outcome: 'stopped' });
  data.status.goingBack = { to: '5.0.6', by: 'ana', restore: false, refused: true };
  const reason = '1 of 3 shards can’t go back to 5.0.6 without loss, and nothing was done.';
  data.status.statement = standingOf(data.status, reason, false);
  expect(data.status.statement).toContain(`was stopped: ${reason}`);
  expect(data.status.statement).toMatch(/\nOr, to go on with the upgrade: rollout start orders --to 8\.0$/);
  const { next, statement } = reportVerdict(data);
  expect(next.map(({ command }) => command)).toEqual([
    'rollout fallback orders --reason "…"',
    'rollout start orders --to 8.0',
  ]);
  expect(next[0]?.why).not.toContain('continues');
  expect(statement).not.toContain('rollout start');
});

test('one by itself that was refused has nothing to continue', () => {
  const data = sampleReport({ outcome: 'stopped' });
  data.status.operation = 'fallback';
  data.status.statement = standingOf(data.status, '1 of 3 shards can’t go back', true);
  const { next } = reportVerdict(data);
  expect(next.map(({ command }) => command)).toEqual(['rollout fallback orders --reason "…"']);
  expect(next[0]?.why).not.toContain('continues');
});
