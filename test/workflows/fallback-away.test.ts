// An upgrade is taken back while a node does not answer, while its standby is lost, or while its primary dies.
import { afterAll, expect, test } from 'vitest';
import { RolloutError } from '../../model/failures.js';
import { until } from '../../scripts/sandbox/cluster.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import type { FakeDeployment } from './stage/fake-deployment.js';
import { FakeStage } from './stage/fake-stage.js';

const stage = await FakeStage.open();
afterAll(() => stage[Symbol.asyncDispose]());

const policy = 'fallback: standby\nsoak: 1h';
const person = { by: 'ana', reason: 'it crashes' };
const [OLD_PRIMARY, NEW_PRIMARY] = ['10.0.1.0:6379', '10.0.1.1:6379'];

async function soaking(name: string): Promise<{ fake: FakeDeployment; operation: Operation }> {
  const { fake, operation } = await stage.run(name, { policy });
  await operation.until('it soaks', ({ phase }) => phase === 'soaking');
  await until('it is followed', () => Promise.resolve(fake.following.size > 0), 100_000);
  fake.done.length = 0;
  return { fake, operation };
}

const acts = ({ done }: FakeDeployment): string[] =>
  done.filter((it) => /^(cutOver|returnNode|handOver|removeStandby)/.test(it));

function expectAllBack(fake: FakeDeployment): void {
  expect(new Set(fake.releases())).toEqual(new Set(['5.0.6']));
  expect([...fake.standbys.keys(), ...fake.following, ...fake.isolated(), ...fake.away]).toEqual([]);
}

test('a node that is away goes back last, after the role has returned, and is named', async () => {
  const { fake, operation } = await soaking('away');
  fake.away.add(OLD_PRIMARY);
  await operation.tell('fallback', person);
  const outcome = await operation.result();
  expect(outcome.result).toBe('fell back');
  expect(outcome.statement).toContain('all 2 nodes');
  expectAllBack(fake);
  expect(acts(fake)).toEqual([
    ...['cutOver shard-1', `returnNode ${NEW_PRIMARY}`, 'handOver shard-1'],
    ...[`returnNode ${OLD_PRIMARY}`, 'removeStandby shard-1'],
  ]);
  const timeline = await stage.handle('redis/away/fallback').query<{ text: string }[]>('timeline');
  expect(timeline.map(({ text }) => text)).toContain(
    `${OLD_PRIMARY} of shard-1 does not answer: the others go back first, and it last`,
  );
});

test('one that can’t be brought back is named at the end, the others are back, and the next start goes on', async () => {
  const { fake, operation } = await soaking('stays-away');
  fake.away.add(OLD_PRIMARY);
  fake.fail(`returnNode ${OLD_PRIMARY}`, new RolloutError('StartFailed', 'its disk is gone'));
  await operation.tell('fallback', person);
  const { message } = await operation.failure();
  expect(message).toContain(
    `every other node of shard-1 runs 5.0.6, and ${OLD_PRIMARY}, which did not answer, could not be brought back: its disk is gone`,
  );
  expect(message).toMatch(
    /^The fallback of stays-away from 8\.0\.6, which ana asked for, was stopped: .*\n1 of 2 nodes run/,
  );
  expect(message).toMatch(/\nTo go on where it stands: rollout fallback stays-away --reason "…"$/);
  expect(message).not.toContain('rollout start');
  expect(fake.primaries()).toEqual([NEW_PRIMARY]);
  expect(acts(fake)).toEqual(['cutOver shard-1', `returnNode ${NEW_PRIMARY}`, 'handOver shard-1']);

  fake.mend(`returnNode ${OLD_PRIMARY}`);
  const again = await stage.start('stays-away', { reason: 'it has a disk again' }, 'fallback');
  expect(await again.result()).toMatchObject({ result: 'completed' });
  expectAllBack(fake);
});

test('its primary dies as it is about to be cut over: whoever took over is, and the dead one goes back last', async () => {
  const { fake, operation } = await soaking('dies');
  const release = fake.hold('cutOver shard-1');
  await operation.tell('fallback', person);
  await until('the cutover begins', () => Promise.resolve(fake.begun.has('cutOver shard-1')), 100_000);
  const dead = fake.failsOver('shard-1');
  release();
  expect(await operation.result()).toMatchObject({ result: 'fell back' });
  expectAllBack(fake);
  expect(dead).toBe(NEW_PRIMARY);
  expect(acts(fake)).toEqual([
    ...['cutOver shard-1', 'cutOver shard-1', `returnNode ${OLD_PRIMARY}`, 'handOver shard-1'],
    ...[`returnNode ${NEW_PRIMARY}`, 'removeStandby shard-1'],
  ]);
});

test('a standby whose follower is lost is not cut over to: it says so, and what a restore would lose', async () => {
  const { fake, operation } = await soaking('lost');
  fake.lost.set('shard-1', 'it has no record of its follower');
  await operation.tell('fallback', person);
  const { type, message } = await operation.failure();
  expect(type).toBe('StandbyLost');
  expect(message).toContain('can’t be brought up to it any more: it has no record of its follower');
  expect(message).toContain('rollout fallback lost --restore --reason');
  // Nothing is back: the statement is the upgrade's.
  expect(message).toContain('2 of 2 nodes run 8.0.6.');
  expect(acts(fake)).toEqual([]);
});

test('one that is lost while its cutover is held ends the hold', async () => {
  const { fake, operation } = await soaking('lost-later');
  fake.onLook = ({ gates }) => {
    if (gates.includes('standby')) fake.lost.set('shard-1', 'it has no record of its follower');
  };
  await operation.tell('fallback', person);
  const { message } = await operation.failure();
  expect(message).toContain('shard-1 was not cut over: it has no record of its follower');
  expect(acts(fake)).toEqual([]);
});
