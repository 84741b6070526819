// An upgrade is taken back: while it runs, after it has stopped, by its own policy, or a shard of it alone.
import { afterAll, expect, test } from 'vitest';
import { RolloutError } from '../../model/failures.js';
import type { OperationRecord } from '../../model/report.js';
import { wait } from '../../model/verdict.js';
import type { FakeDeployment } from './stage/fake-deployment.js';
import { FakeStage } from './stage/fake-stage.js';

const stage = await FakeStage.open();
afterAll(() => stage[Symbol.asyncDispose]());

const standby = 'fallback: standby';
const soaking = `${standby}\nsoak: 1h`;
const WITHIN = 100_000;
const person = { by: 'ana', reason: 'checkout is slower' };
const record = (id: string): Promise<OperationRecord> => stage.handle(id).query<OperationRecord>('record');

function expectAllBack(fake: FakeDeployment): void {
  expect(new Set(fake.releases())).toEqual(new Set(['5.0.6']));
  expect([...fake.standbys.keys(), ...fake.following, ...fake.isolated()]).toEqual([]);
}

test('each shard has its standby before anything of it is touched, frozen before its handover, gone when it is final', async () => {
  const { fake, operation } = await stage.run('standbys', { shards: 2, policy: standby });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  for (const shard of ['shard-1', 'shard-2']) {
    const own = fake.done.filter((it) => it.includes(shard) || it.includes(`10.0.${shard.slice(-1)}.`));
    const at = (act: RegExp): number => own.findIndex((it) => act.test(it));
    expect(at(/^addStandby/)).toBeGreaterThanOrEqual(0);
    expect(at(/^addStandby/)).toBeLessThan(at(/^isolate/));
    expect(at(/^freezeStandby/)).toBeLessThan(at(/^isolate .*\.0:6379/));
    expect(at(/^isolate .*\.0:6379/)).toBeLessThan(at(/^handOver/));
    expect(own.filter((it) => it.startsWith('removeStandby'))).toHaveLength(1);
  }
  expect(fake.done.slice(-2).every((it) => it.startsWith('removeStandby') || it === 'runProbe')).toBe(true);
  expect([...fake.standbys.keys(), ...fake.following]).toEqual([]);
});

test('told to in the soak, it goes back within the same operation, and the record says why and what it cost', async () => {
  const { fake, operation } = await stage.run('in-soak', { shards: 2, policy: soaking });
  const { fallback } = (await operation.until('it soaks', ({ phase }) => phase === 'soaking')).status;
  expect(fallback).toMatchObject({ class: 'lossless', standbys: [{ state: 'frozen' }, { state: 'frozen' }] });
  await expect.poll(() => fake.following.size, { timeout: WITHIN }).toBe(2);
  expect(await operation.tell('fallback', person)).toHaveProperty('done');
  expect(await operation.tell('fallback', person)).toMatchObject({
    refused: expect.stringContaining('falls back already, asked for by ana') as string,
  });
  const outcome = await operation.result();
  expect(outcome.result).toBe('fell back');
  expect(outcome.statement).toMatch(/shard-1, shard-2 of in-soak are back on 5.0.6: all 4 nodes, as ana asked for/);
  expectAllBack(fake);
  const { incidents, cutovers } = await record('redis/in-soak/fallback');
  expect(cutovers?.map(({ shard, gapMs }) => [shard, gapMs])).toEqual([
    ['shard-1', 30],
    ['shard-2', 30],
  ]);
  expect(incidents).toMatchObject([
    {
      ...person,
      from: '8.0.6',
      to: '5.0.6',
      class: 'lossless',
      shards: [{ nodes: 2, cutoverGapMs: 30 }, { nodes: 2 }],
    },
  ]);
  // The role went back to who had it before the standby, and the probe ran to the end.
  expect(fake.primaries()).toEqual(['10.0.1.1:6379', '10.0.2.1:6379']);
  expect(fake.begun.has('readLedger')).toBe(true);
});

test('a gate of policy.fallbackWhen that does not pass in the soak takes it back by itself', async () => {
  const policy = `${standby}\nsoak: 3s\nfallbackWhen: { gates: [latency], for: 1s }`;
  const { fake, operation } = await stage.run('by-policy', { policy });
  fake.patient = false;
  await operation.until('it soaks', ({ phase }) => phase === 'soaking');
  fake.verdicts.set('latency', wait('99th percentile 700 ms', 'it is less'));
  const outcome = await operation.result();
  expect(outcome.result).toBe('fell back');
  expectAllBack(fake);
  const { incidents } = await record('redis/by-policy/fallback');
  expect(incidents).toMatchObject([{ by: 'policy', gate: 'latency' }]);
});

test('one shard goes back, and the others stay as they are', async () => {
  const { fake, operation } = await stage.run('one-shard', { shards: 2, policy: soaking });
  await operation.until('it soaks', ({ phase }) => phase === 'soaking');
  expect(await operation.tell('fallback', { ...person, shard: 'shard-7' })).toMatchObject({
    refused: 'shard: expected one of shard-1, shard-2, found shard-7',
  });
  expect(await operation.tell('fallback', { ...person, shard: 'shard-2' })).toHaveProperty('done');
  expect(await operation.result()).toMatchObject({ result: 'fell back' });
  expect(fake.releases()).toEqual(['8.0.6', '8.0.6', '5.0.6', '5.0.6']);
  expect([...fake.standbys.keys()]).toEqual(['shard-1']);
  // Later, by itself, the other one too.
  const rest = await stage.start('one-shard', { reason: 'that one as well' }, 'fallback');
  expect(await rest.result()).toMatchObject({ result: 'completed', to: '5.0.6' });
  expectAllBack(fake);
});

test('a no to finalize leaves the standbys, says so, and the fallback can be started by itself', async () => {
  const policy = `${standby}\napprovals: { finalize: { roles: [product] } }`;
  const { fake, operation } = await stage.run('rejected', { policy });
  const asked = await operation.until('it asks', ({ waiting }) => waiting.some(({ name }) => name === 'finalize'));
  expect(asked.status.approvals[0]?.question).toMatch(
    /standbys are removed then: from there on it can’t be taken back without loss/,
  );
  await operation.tell('reject', { by: 'cleo', comment: 'too slow' });
  const outcome = await operation.result();
  expect(outcome.result).toBe('aborted');
  expect(outcome.statement).toMatch(/standbys of shard-1 \(5.0.6\) stay in place.*rollout fallback rejected/);
  expect(fake.following.size).toBe(0);
  const back = await stage.start('rejected', { reason: 'product says no' }, 'fallback');
  expect(await back.result()).toMatchObject({ result: 'completed', from: '8.0.6', to: '5.0.6' });
  expectAllBack(fake);
});

test('once it is final there is nothing to go back to, and it says what a restore would lose', async () => {
  const { fake, operation } = await stage.run('final', { policy: standby });
  await operation.result();
  const back = await stage.start('final', { reason: 'too late' }, 'fallback');
  const outcome = await back.failure();
  expect(outcome.message).toMatch(/shard-1 is served by 10.0.1.1:6379 on 8.0.6, and has no standby/);
  expect(outcome.message).toMatch(/from its backup of 10.0.1.0:6379 it would lose every write after \d{4}-/);
  expect(outcome.message).toContain('rollout fallback final --restore --reason "…"');
  expect(outcome.message).toContain('Nothing was touched');
  expect(new Set(fake.releases())).toEqual(new Set(['8.0.6']));
});

test('with a policy of backup a shard that was not handed over goes back all the same, without loss', async () => {
  const policy = 'approvals: { handover: { roles: [operations] } }';
  const { fake, operation } = await stage.run('backup-only', { policy });
  await operation.waits('approval', 'handover');
  expect(fake.releases()).toEqual(['5.0.6', '8.0.6']);
  await operation.tell('fallback', person);
  expect(await operation.result()).toMatchObject({ result: 'fell back' });
  expectAllBack(fake);
  expect(fake.done.filter((it) => /Standby/.test(it) && !it.startsWith('remove'))).toEqual([]);
});

test('a shard that gets no standby is not touched', async () => {
  const fake = stage.deploy('no-room', { policy: standby });
  fake.fail('addStandby shard-1', new RolloutError('StandbyLost', 'there is no room for it'));
  const operation = await stage.start('no-room');
  const outcome = await operation.failure();
  expect(outcome.message).toContain('shard-1 got no standby (policy.fallback): there is no room for it');
  expect(fake.done.filter((it) => it.startsWith('isolate'))).toEqual([]);
});

test('a follower that can’t go on brings the class down, and it is said', async () => {
  const fake = stage.deploy('lost', { policy: soaking });
  fake.fail('follow shard-1', new RolloutError('StandbyLost', 'the backlog does not reach back'));
  const operation = await stage.start('lost');
  const { status } = await operation.until('it is lost', (it) => it.fallback?.class === 'restore-only');
  expect(status.fallback).toMatchObject({
    reason: 'shard-1: the backlog does not reach back',
    standbys: [{ state: 'lost' }],
  });
  await operation.tell('abort', { by: 'ana' });
  await operation.result();
});

test('what the previous release can’t hold is counted in the soak', async () => {
  const fake = stage.deploy('except', { policy: soaking });
  fake.notRepresentable.set('shard-1', [{ what: 'field TTL', count: 2, examples: ['a'] }]);
  const operation = await stage.start('except');
  const soak = await operation.until('it is seen', ({ fallback }) => fallback?.class === 'lossless-except');
  expect(soak.status.fallback?.reason).toContain('field TTL of 2 keys (a)');
  await operation.tell('fallback', person);
  await operation.result();
  const { incidents } = await record('redis/except/fallback');
  expect(incidents?.[0]?.class).toBe('lossless-except');
  expectAllBack(fake);
});
