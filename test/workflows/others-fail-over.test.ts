// Somebody else moves the primary role while we move it: what is said in the end must be true of either.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RolloutError } from '../../model/failures.js';
import type { Verdict } from '../../model/verdict.js';
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

test('the upgraded replica has lost its link before the handover: it is waited for, and only for the link', async () => {
  const fake = stage.deploy('unlinked');
  fake.unlinked.add(replica);
  const why: Verdict = { state: 'fail', reason: `${replica} has lost its link`, clears: 'the link is up' };
  fake.onLook = ({ gates }) => {
    const alone = gates.length === 1 && gates[0] === 'replication';
    if (alone && fake.verdicts.size > 0) {
      fake.verdicts.clear();
      fake.unlinked.clear();
    } else if (alone) fake.verdicts.set('replication', why);
  };
  const { result } = await (await stage.start('unlinked')).result();
  expect(result).toBe('completed');
  expect(fake.done).toContain('handOver shard-1');
});

test('its link does not come back though somebody lets it pass: it says who does not follow, and hands nothing over', async () => {
  const fake = stage.deploy('unlinked-for-good');
  fake.unlinked.add(replica);
  const { message } = await (await stage.start('unlinked-for-good')).failure();
  expect(message).toContain(`${replica} does not follow it`);
  expect(fake.done).not.toContain('handOver shard-1');
});
