// Every node runs the new release, and the application is worse off: the upgrade must not go on to its end as if nothing were.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
beforeAll(async () => {
  stage = await FakeStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const some = (text: string): string => expect.stringContaining(text) as string;
const slow = { commands: { get: { calls: 1000, usecPerCall: 900 } } };
const checks = '[{ name: cart, command: [x] }, { name: prices, command: [x] }]';

test('what it was like is measured before anything is touched, what it is after the last node, and each measure has a verdict', async () => {
  const { fake, operation } = await stage.run('measured', { shards: 2, checks });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  expect(fake.begun.get('measure')).toBe(2);
  const { timeline } = await operation.read();
  const texts = timeline.map(({ text }) => text);
  const before = texts.findIndex((text) => text.startsWith('baseline of 1 primaries: 1000 commands a second'));
  expect(before).toBeGreaterThan(0);
  expect(texts.slice(0, before)).not.toContainEqual(some('isolate'));
  expect(texts).toContain('validation: pass: 6 measures, 2 checks: none missed, none failed');
});

test('a measure that is missed holds before the soak with its figures, and clears when it is measured anew and met', async () => {
  const fake = stage.deploy('slower');
  fake.measurements = [{}, slow, {}];
  const operation = await stage.start('slower');
  const { status } = await operation.waits('gate', 'validation');
  expect(status.waiting).toMatchObject([
    {
      reason: some(
        'after the last node on 8.0.6: time of get 200.0 µs → 900.0 µs (allowed: 2 times what it was, or 100.0 µs)',
      ),
      clears: some('`rollout fallback` takes the upgrade back'),
      command: 'rollout override slower --gate validation --reason "…"',
    },
  ]);
  expect(status.phase).toBe('validating');
  expect(await operation.result()).toMatchObject({ result: 'completed' });
}, 120_000);

test('a check of the application that fails holds too, and may be overridden by name: nothing of it is hidden', async () => {
  const fake = stage.deploy('broken', { checks });
  fake.failingChecks.add('cart');
  const operation = await stage.start('broken');
  const { status } = await operation.waits('gate', 'validation');
  expect(status.waiting[0]?.reason).toContain('check cart: exit code 1: 3 carts broken');
  await operation.tell('override', { by: 'ana', gate: 'validation', reason: 'known, fixed tomorrow' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  const { gates } = (await operation.read()).status;
  expect(gates.find(({ gate }) => gate === 'validation')).toMatchObject({
    verdict: { state: 'fail' },
    overriddenBy: { by: 'ana', reason: 'known, fixed tomorrow' },
  });
});

test('whoever asks for a fallback while it holds gets it', async () => {
  const fake = stage.deploy('taken-back', { policy: 'fallback: standby' });
  fake.measurements = [{}, slow];
  const operation = await stage.start('taken-back');
  await operation.waits('gate', 'validation');
  await operation.tell('fallback', { by: 'ana', reason: 'too slow' });
  expect(await operation.result()).toMatchObject({ result: 'fell back' });
  expect(new Set(fake.releases())).toEqual(new Set(['5.0.6']));
}, 120_000);

test('without a measure and without checks nothing is measured and nothing held', async () => {
  const { fake, operation } = await stage.run('unmeasured', { policy: 'validation: { measure: 0s }' });
  expect(await operation.result()).toMatchObject({ result: 'completed' });
  expect(fake.begun.has('measure')).toBe(false);
});
