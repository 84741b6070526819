// There is no standby: nothing but the backup is left, and what was written since is given up. Only people may say so.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { RolloutError } from '../../model/failures.js';
import type { OperationRecord } from '../../model/report.js';
import { until } from '../../scripts/sandbox/cluster.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import type { FakeDeployment } from './stage/fake-deployment.js';
import { FakeStage } from './stage/fake-stage.js';
import { usually } from '../thorough.js';

const stage = await FakeStage.open();
const held: (() => void)[] = [];
afterAll(() => {
  for (const release of held) release();
  return stage[Symbol.asyncDispose]();
});

const person = { by: 'ana', reason: 'it corrupts carts' };
const record = (id: string): Promise<OperationRecord> => stage.handle(id).query<OperationRecord>('record');

function expectAllBack(fake: FakeDeployment): void {
  expect(new Set(fake.releases())).toEqual(new Set(['5.0.6']));
  expect([...fake.standbys.keys(), ...fake.isolated(), ...fake.unfinished]).toEqual([]);
}

/** Upgraded, and stopped before it is final. */
async function upgraded(name: string, policy: string, shards = 1): Promise<FakeDeployment> {
  const { fake, operation } = await stage.run(name, {
    shards,
    policy: `${policy}\napprovals: { finalize: { roles: [product] } }`,
  });
  await operation.waits('approval', 'finalize');
  await operation.tell('abort', { by: 'cleo' });
  await operation.result();
  return fake;
}

test('asked for in the soak: what is lost is said, nothing is touched before people agree, and the record has it', async () => {
  const { fake, operation } = await stage.run('in-soak', { shards: 2, policy: 'soak: 1h' });
  await operation.until('it soaks', ({ phase }) => phase === 'soaking');
  const before = fake.done.length;
  await operation.tell('fallback', { ...person, restore: true });
  const { status } = await operation.until('it asks', ({ approvals }) => approvals.length > 0);
  expect(status.approvals[0]?.question).toMatch(
    /^Restore shard-1, shard-2 of in-soak from backup into 5\.0\.6, and give up what was written since\? shard-1, served by 10\.0\.1\.1:6379 on 8\.0\.6: from the backup of .* at offset 1\)\. Lost is every write after .* \(999 B of the replication stream\)\. shard-2, served by/,
  );
  expect(status.fallback?.restore).toHaveLength(2);
  expect(fake.done.slice(before)).toEqual([]);
  expect(await operation.tell('approve', { by: 'ana' })).toMatchObject({
    refused: expect.stringContaining('ana asked for this') as string,
  });
  expect(await operation.tell('approve', { by: 'ben' })).toHaveProperty('done');
  const outcome = await operation.result();
  expect(outcome.result).toBe('fell back');
  expect(outcome.statement).toMatch(
    /shard-1: restored at 10\.0\.1\.1:6379 on 5\.0\.6\. Lost is every write after .*kept aside/,
  );
  expectAllBack(fake);
  const { incidents, restores } = await record('redis/in-soak/fallback');
  expect(incidents).toMatchObject([
    {
      ...{ ...person, from: '8.0.6', to: '5.0.6', class: 'restore-only' },
      shards: [
        { shard: 'shard-1', way: 'restored', nodes: 2, lossWindow: { streamBytes: 1234 } },
        { shard: 'shard-2', way: 'restored', nodes: 2 },
      ],
    },
  ]);
  expect(restores).toHaveLength(2);
});

test('who says no ends it, with everything as it was', async () => {
  const fake = await upgraded('rejected', '');
  const before = fake.done.length;
  const back = await stage.start('rejected', { reason: 'an incident', restore: true }, 'fallback');
  await back.waits('approval', 'restore');
  await back.tell('reject', { by: 'ben', comment: 'mend it instead' });
  const outcome = await back.result();
  expect(outcome).toMatchObject({
    result: 'aborted',
    statement: expect.stringContaining('Nothing was touched') as string,
  });
  expect(fake.done.slice(before).filter((it) => !/^(runProbe|readLedger|writeReport)/.test(it))).toEqual([]);
  expect(new Set(fake.releases())).toEqual(new Set(['8.0.6']));
});

test('where the policy names who decides, only they do; where nobody could, it is refused at once', async () => {
  const fake = stage.deploy('product', {
    policy: 'approvals: { finalize: { roles: [product] }, restore: { roles: [product] } }',
  });
  const upgrade = await stage.start('product');
  await upgrade.waits('approval', 'finalize');
  await upgrade.tell('abort', { by: 'cleo' });
  await upgrade.result();
  const alone = await stage.start('product', { reason: 'mine', restore: true, startedBy: 'cleo' }, 'fallback');
  expect((await alone.failure()).message).toMatch(
    /Nobody could approve that shards are restored, and nothing was done: 'restore' needs 1 of product, and without cleo/,
  );
  const back = await stage.start('product', { reason: 'an incident', restore: true }, 'fallback');
  await back.waits('approval', 'restore');
  expect(await back.tell('approve', { by: 'ben' })).toMatchObject({
    refused: expect.stringContaining('cleo may') as string,
  });
  await back.tell('approve', { by: 'cleo' });
  expect(await back.result()).toMatchObject({ result: 'completed', to: '5.0.6' });
  expectAllBack(fake);
});

test('one shard alone is restored; the other serves on as it is', async () => {
  const fake = await upgraded('one-shard', '', 2);
  const input = { reason: 'odd latency', restore: true, shards: ['shard-2'] };
  const back = await stage.start('one-shard', input, 'fallback');
  const { status } = await back.waits('approval', 'restore');
  expect(status.approvals.at(-1)?.question).not.toContain('shard-1');
  await back.tell('approve', { by: 'ben' });
  expect(await back.result()).toMatchObject({ result: 'completed' });
  expect(fake.releases()).toEqual(['8.0.6', '8.0.6', '5.0.6', '5.0.6']);
});

test('each shard goes back as it can: one by its standby, one by its backup, one that was not handed over by itself', async () => {
  const policy = 'fallback: standby\napprovals: { handover: { roles: [operations], per: shard } }';
  const { fake, operation } = await stage.run('mixed', { shards: 3, policy });
  const shards: string[] = [];
  for (let n = 0; n < 3; n++) {
    const open = ({ approvals }: { approvals: { approval: string; state: string }[] }) =>
      approvals.find(({ state }) => state === 'open')?.approval;
    const { status } = await operation.until('a handover is asked for', (it) => open(it) !== undefined);
    const approval = open(status) ?? '';
    shards.push(approval.slice('handover:'.length));
    if (n < 2) await operation.tell('approve', { by: 'ben', approval });
  }
  await operation.tell('abort', { by: 'ana' });
  await operation.result();
  const [first = '', second = '', third = ''] = shards;
  fake.standbys.delete(second);
  const back = await stage.start('mixed', { reason: 'an incident', restore: true }, 'fallback');
  const { status } = await back.waits('approval', 'restore');
  expect(status.fallback?.restore).toMatchObject([{ state: 'asked', shard: second }]);
  await back.tell('approve', { by: 'ben' });
  expect(await back.result()).toMatchObject({ result: 'completed' });
  expectAllBack(fake);
  const { incidents } = await record('redis/mixed');
  const ways = Object.fromEntries(incidents?.[0]?.shards.map(({ shard, way }) => [shard, way]) ?? []);
  expect(ways).toEqual({ [first]: 'cut over', [second]: 'restored', [third]: 'reverted' });
});

test('one that can’t be restored is left as it is, and the statement has the command that goes on', async () => {
  const fake = await upgraded('no-room', '');
  fake.fail('restoreShard shard-1', new RolloutError('Stopped', 'the backup is not what it was'));
  const back = await stage.start('no-room', { reason: 'an incident', restore: true }, 'fallback');
  await back.waits('approval', 'restore');
  await back.tell('approve', { by: 'ben' });
  const { message } = await back.failure();
  expect(message).toMatch(/the backup is not what it was[\s\S]*rollout fallback no-room --restore --reason/);
});

test('what was approved and interrupted goes on first, whoever starts the fallback next, and is not asked again', async () => {
  const fake = await upgraded('interrupted', '');
  const release = fake.hold('restoreShard shard-1');
  held.push(release);
  const first = await stage.start('interrupted', { reason: 'an incident', restore: true }, 'fallback');
  await first.waits('approval', 'restore');
  await first.tell('approve', { by: 'ben' });
  await until('it is being restored', () => Promise.resolve(fake.begun.has('restoreShard shard-1')), 100_000);
  await stage.handle(first.workflowId).terminate('interrupted');
  fake.begun.clear();
  const second = await stage.start('interrupted', { reason: 'once more' }, 'fallback');
  await until('it goes on', () => Promise.resolve(fake.begun.has('restoreShard shard-1')), 100_000);
  release();
  expect(await second.result()).toMatchObject({ result: 'completed' });
  expectAllBack(fake);
  const { incidents } = await record('redis/interrupted');
  expect(incidents).toMatchObject([{ class: 'restore-only', shards: [{ way: 'restored', nodes: 2 }] }]);
});

/** Looks and acts of a restore; fallback-every-step.test.ts has the others. */
const steps = [
  ...['assessFallback', 'lookBack shard-1', 'checkGates shard-1', 'restoreShard shard-1', 'removeStandby shard-1'],
];

test.concurrent.each(
  usually(
    2,
    steps.map((step, i) => [step, i] as const),
  ),
)(
  'terminated during %s, it is started again and goes on',
  async (step, i) => {
    const name = `again-${i}`;
    const fake = await upgraded(name, '');
    fake.begun.clear();
    const release = fake.hold(step);
    held.push(release);
    const approve = async (back: Operation, isOver: () => boolean): Promise<void> => {
      while (!isOver()) {
        const answer = await back.tell('approve', { by: 'ben', approval: 'restore' }).catch(() => undefined);
        if (answer && 'done' in answer) return;
        await sleep(50);
      }
    };
    const first = await stage.start(name, { reason: 'an incident', restore: true }, 'fallback');
    const begun = (): boolean => fake.begun.has(step);
    await Promise.all([until(`${step} is begun`, begun, 100_000), approve(first, begun)]);
    await stage.handle(first.workflowId).terminate('interrupted');
    release();
    const second = await stage.start(name, { reason: 'once more', restore: true }, 'fallback');
    let outcome: object | undefined;
    await Promise.all([second.result().then((it) => (outcome = it)), approve(second, () => outcome !== undefined)]);
    expect(outcome).toMatchObject({ result: 'completed' });
    expectAllBack(fake);
  },
  600_000,
);
