// A rehearsal that signs itself off: where a step failed, a target was missed or could not be judged, where somebody rejects it or
// ends it; and production that goes ahead on the strength of such a one.
import { afterAll, expect, test } from 'vitest';
import { RolloutError } from '../../model/failures.js';
import type { StagingRecord } from '../../model/staging.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { FakeStage } from './stage/fake-stage.js';

const stage = await FakeStage.open();
afterAll(() => stage[Symbol.asyncDispose]());

const approvals = { product: { roles: ['product'] }, operations: { roles: ['operations'], quorum: 2 } };
const target = { measure: 'latency.p99', change: '-30%' };
const rehearse = (name: string): Promise<Operation> => stage.start(name, { to: '8.0' }, 'staging');
const resultOf = async (operation: Operation): Promise<StagingRecord & { result: string; statement: string }> =>
  (await operation.result()) as unknown as StagingRecord & { result: string; statement: string };

test('upgraded, taken back and upgraded again; then everybody is asked, with what was found, and the copy goes', async () => {
  const { fake, copy, rehearsal } = stage.deployWithCopy('whole', { approvals, targets: [target], soak: '0s' });
  const operation = await rehearse('whole');
  await operation.waits('approval', 'product');
  const { status } = await operation.waits('approval', 'operations');
  expect(status.reason).toContain('May whole go from 5.0.6 to 8.0.6 in production?');
  expect(status.reason).toContain('fallback to 5.0.6: passed');
  expect(status.waiting.map(({ command }) => command)).toContain(
    'rollout approve redis/whole/staging --approval product',
  );
  // Whoever tries it finds it standing, on the new release.
  expect(rehearsal.done).not.toContain('removeCopy');
  expect(new Set(copy.releases())).toEqual(new Set(['8.0.6']));
  expect(await operation.tell('approve', { by: 'cleo', approval: 'operations' })).toHaveProperty('refused');
  expect(await operation.tell('fallback', { by: 'ben', reason: 'x' })).toHaveProperty('refused');
  for (const [by, approval] of [
    ['cleo', 'product'],
    ['ben', 'operations'],
    ['bea', 'operations'],
  ])
    expect(await operation.tell('approve', { by, approval })).toHaveProperty('done');
  const record = await resultOf(operation);

  expect(record.steps.map(({ name, result }) => `${name}: ${result}`)).toEqual([
    'copy: passed',
    'content: passed',
    'check cart, on 5.0.6: passed',
    'benchmark on 5.0.6: passed',
    'upgrade to 8.0.6: passed',
    'benchmark on 8.0.6: passed',
    'fallback to 5.0.6: passed',
    'benchmark on 5.0.6 again: passed',
    'upgrade to 8.0.6: passed',
    'benchmark on 8.0.6 again: passed',
    'expiry: passed',
    'check cart, on 8.0.6: passed',
    'finalize: passed',
    'content, after all of it: passed',
    'targets: passed',
  ]);
  // Untouched it is as the backup is; each of three changes may move an expiry by policy.ttlTolerance.
  const contents = record.steps.filter(({ name }) => name.startsWith('content')).map(({ found }) => found);
  expect(contents).toEqual([
    '10 keys compared with the backup, 0 different',
    '10 keys compared with the backup, 0 different; expiries are off by 3.0 s at the most, of 3.0 s that 3 changes of release may cost',
  ]);
  expect(record).toMatchObject({ decision: 'go', why: 'every step passed, and it was signed off', keys: 10 });
  expect(record.approvals.map(({ approval, answers }) => [approval, answers.map(({ by }) => by)])).toEqual([
    ['product', ['cleo']],
    ['operations', ['ben', 'bea']],
  ]);
  expect(record.reports).toEqual(['/state/report.html', '/state/report.html']);
  expect(rehearsal.records).toMatchObject([{ decision: 'go', staging: record.staging }]);
  expect(rehearsal.done.at(-1)).toBe('removeCopy');
  expect(fake.done).toEqual([]);
  expect(copy.done.filter((it) => it === 'cutOver shard-1')).toHaveLength(1);
});

test('one who rejects it ends it: no-go is on record with who, and the copy goes', async () => {
  const { rehearsal } = stage.deployWithCopy('rejected', { approvals, soak: '0s' });
  const operation = await rehearse('rejected');
  await operation.waits('approval', 'product');
  expect(await operation.tell('reject', { by: 'cleo', approval: 'product', comment: 'too slow' })).toHaveProperty(
    'done',
  );
  const { result, statement } = await resultOf(operation);
  expect(result).toBe('aborted');
  expect(statement).toContain('rejected itself was not touched');
  expect(rehearsal.records).toMatchObject([
    {
      ...{ decision: 'no-go', why: 'aborted by cleo: product rejected by cleo: too slow' },
      approvals: [{ approval: 'product', state: 'rejected', answers: [{ by: 'cleo' }] }, { approval: 'operations' }],
    },
  ]);
  expect(rehearsal.done.at(-1)).toBe('removeCopy');
});

test('what failed is no-go without a question, and everything else is tried all the same', async () => {
  const { copy, rehearsal } = stage.deployWithCopy('fails', { approvals, targets: [target], soak: '0s' });
  rehearsal.failingChecks.add('cart');
  rehearsal.failedCommands = 3;
  rehearsal.latencies['8.0.6'] = [10, 10, 10];
  const record = await resultOf(await rehearse('fails'));
  expect(record).toMatchObject({ result: 'completed', decision: 'no-go', approvals: [] });
  expect(record.steps.filter(({ result }) => result === 'failed').map(({ name }) => name)).toEqual([
    'check cart, on 5.0.6',
    'upgrade to 8.0.6',
    'fallback to 5.0.6',
    'upgrade to 8.0.6',
    'check cart, on 8.0.6',
    'targets',
  ]);
  expect(record.why).toContain('3 failed (timeout 3)');
  expect(record.why).toMatch(/targets: latency\.p99 0\.0 %.* is missed/);
  expect(new Set(copy.releases())).toEqual(new Set(['8.0.6']));
  expect(rehearsal.done.slice(-2)).toEqual(['recordStaging no-go', 'removeCopy']);
});

test('runs that lie too far apart are not judged, whatever their medians say: people see that, and decide', async () => {
  const { rehearsal } = stage.deployWithCopy('noisy', {
    ...{ approvals: { product: { roles: ['product'] } }, targets: [target], soak: '0s' },
  });
  rehearsal.latencies['8.0.6'] = [2, 5, 9];
  const operation = await rehearse('noisy');
  const { status } = await operation.waits('approval', 'product');
  expect(status.reason).toMatch(/targets: undecided, latency\.p99 .*not judged, since runs lie \d+ % apart/);
  await operation.tell('approve', { by: 'cleo', approval: 'product' });
  const record = await resultOf(operation);
  expect(record.decision).toBe('go');
  expect(record.benchmarks.find(({ measure }) => measure === 'latency.p99')?.verdict).toBe('noise');
});

test('a copy that can’t be upgraded ends it, with the upgrade’s own reason; nothing of it is left', async () => {
  const { copy, rehearsal } = stage.deployWithCopy('stuck', { soak: '0s' });
  copy.fail('swapVersion 10.0.1.1:6379', new RolloutError('StartFailed', 'the new server does not start'));
  const { message } = await (await rehearse('stuck')).failure();
  expect(message).toContain('the new server does not start');
  expect(message).toContain('stuck itself was not touched');
  expect(rehearsal.records).toMatchObject([{ decision: 'no-go', steps: { length: 5 } }]);
  expect(rehearsal.records[0]?.steps.at(-1)).toMatchObject({ name: 'upgrade to 8.0.6', result: 'failed' });
  expect(rehearsal.done.slice(-2)).toEqual(['recordStaging no-go', 'removeCopy']);
});

test('aborted while its copy is upgraded, it ends once that has, and takes the copy away after it', async () => {
  const { copy, rehearsal } = stage.deployWithCopy('aborted', { soak: '0s' });
  const release = copy.hold('swapVersion 10.0.1.1:6379');
  const operation = await rehearse('aborted');
  await expect.poll(() => copy.begun.get('swapVersion 10.0.1.1:6379') ?? 0, { timeout: 60_000 }).toBe(1);
  await operation.tell('abort', { by: 'ana', reason: 'wrong target' });
  expect(rehearsal.done).not.toContain('removeCopy');
  release();
  const { result, statement } = await resultOf(operation);
  expect(result).toBe('aborted');
  expect(statement).toContain('The rehearsal for aborted was aborted');
  expect(copy.isolated()).toEqual([]);
  expect(rehearsal.done.at(-1)).toBe('removeCopy');
  expect(rehearsal.records).toMatchObject([{ decision: 'no-go' }]);
});

test('a question that nobody could answer is refused before a copy is made', async () => {
  const { rehearsal } = stage.deployWithCopy('nobody', { approvals: { product: { roles: ['product'] } } });
  const operation = await stage.start('nobody', { to: '8.0', startedBy: 'cleo' }, 'staging');
  const { type, message } = await operation.failure();
  expect(type).toBe('BadInput');
  expect(message).toContain('staging.approvals.product allows selfApproval');
  expect(rehearsal.done).not.toContain('makeCopy');
});

test('with policy.staging: required, production waits for a rehearsal that ended in go', async () => {
  const { fake, rehearsal } = stage.deployWithCopy('required', { soak: '0s' }, { policy: 'staging: required' });
  const first = await (await stage.start('required')).failure();
  expect(first.message).toContain(
    'no rehearsal of 5.0.6 → 8.0.6 is on record: rollout staging start required --to 8.0.6',
  );
  expect(fake.done).toEqual([]);
  rehearsal.failingChecks.add('cart');
  await resultOf(await rehearse('required'));
  const second = await (await stage.start('required')).failure();
  expect(second.message).toContain('ended in no-go: check cart');
  rehearsal.failingChecks.clear();
  expect((await resultOf(await rehearse('required'))).decision).toBe('go');
  expect(await (await stage.start('required')).result()).toMatchObject({ result: 'completed' });
});
