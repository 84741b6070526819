// Somebody else moves the primary role while we move it: what is said in the end must be true of either.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RolloutError } from '../../model/failures.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
beforeAll(async () => {
  stage = await FakeStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

const [primary, replica] = ['10.0.1.0:6379', '10.0.1.1:6379'];

test('failed back before the old primary was stopped: it is left as it is, and nobody is said to serve', async () => {
  const fake = stage.deploy('failed-back');
  fake.fail(`swapVersion ${primary}`, new RolloutError('Stopped', `${primary} is primary: never just stopped`));
  const { type, message } = await (await stage.start('failed-back')).failure();
  expect(type).toBe('Stopped');
  expect(message).toContain(`${primary} of shard-1, which ${replica} had taken over from, was left as it is`);
  expect(message).not.toMatch(/serves|failed \(/);
});

test('the replica in hand may not go back, since somebody promoted a newer node: it says no more than that', async () => {
  const fake = stage.deploy('promoted');
  fake.fail(`verifyNode ${replica}`, new RolloutError('NotCaughtUp', 'it follows another'));
  fake.fail(`revert ${replica}`, new RolloutError('Stopped', '10.0.1.2:6379 runs 8.0.6: it may not follow it'));
  const { message } = await (await stage.start('promoted')).failure();
  for (const text of ['it follows another', '10.0.1.2:6379 runs 8.0.6']) expect(message).toContain(text);
  expect(message).not.toContain(`${primary} serves`);
});
