// Somebody wants it taken back in the middle of any step there is, and a fallback is interrupted in the middle of any of its
// own: whatever was in hand, every node ends on the release of before.
import { afterAll, expect, test } from 'vitest';
import { until } from '../../scripts/sandbox/cluster.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import type { FakeDeployment } from './stage/fake-deployment.js';
import { FakeStage } from './stage/fake-stage.js';
import { thorough } from '../thorough.js';

const stage = await FakeStage.open();
const held: (() => void)[] = [];
afterAll(() => {
  for (const release of held) release();
  return stage[Symbol.asyncDispose]();
});

const policy = 'fallback: standby';
const person = { by: 'ana', reason: 'an incident' };

/** Every act of an upgrade with standbys, and of its fallback, in the order in which each begins: found, not written down. */
const upgradeSteps = await (async () => {
  const { fake, operation } = await stage.run('all-steps', { policy });
  await operation.result();
  return [...fake.begun.keys()];
})();
const fallbackSteps = await (async () => {
  const { fake, operation } = await stage.run('all-back', { policy: `${policy}\nsoak: 1h` });
  await operation.until('it soaks', ({ phase }) => phase === 'soaking');
  const before = new Set(fake.begun.keys());
  fake.begun.clear();
  await operation.tell('fallback', person);
  await operation.result();
  return [...fake.begun.keys()].filter((step) => !before.has(step) || step.startsWith('checkGates'));
})();
/** From here on nothing is left to take back, and it is said: the way back is closed, or it ends. */
const tooLate = ['removeStandby shard-1', 'readLedger', 'writeReport'];

async function holdIn(
  name: string,
  step: string,
): Promise<{ fake: FakeDeployment; operation: Operation; release: () => void }> {
  const fake = stage.deploy(name, { policy });
  const release = fake.hold(step);
  held.push(release);
  const operation = await stage.start(name);
  await until(`${step} is begun`, () => Promise.resolve(fake.begun.has(step)), 100_000);
  return { fake, operation, release };
}

function expectAllBack(fake: FakeDeployment): void {
  expect(fake.releases()).toEqual(['5.0.6', '5.0.6']);
  expect(fake.primaries()).toHaveLength(1);
  expect([...fake.standbys.keys(), ...fake.following, ...fake.isolated()]).toEqual([]);
}

test.concurrent.each(upgradeSteps.map((step, i) => [step, i] as const).filter(([, i]) => thorough || i % 3 === 1))(
  'fallback during %s',
  async (step, i) => {
    const { fake, operation, release } = await holdIn(`back-${i}`, step);
    if (tooLate.includes(step)) {
      expect(await operation.tell('fallback', person)).toMatchObject({
        refused: expect.stringMatching(/is finalized|ends at this moment|has ended/) as string,
      });
      release();
      expect(await operation.result()).toMatchObject({ result: 'completed' });
      return;
    }
    if (i % 2 === 0) expect(await operation.tell('fallback', person)).toHaveProperty('done');
    else {
      await stage.handle(operation.workflowId).signal('fallback', person);
      // What goes on beside the steps doesn't hold them up: it may be taken back by then.
      if (!/^(checkGates|runProbe|follow)/.test(step))
        await operation.until('it is shown within the step', ({ asked }) => asked?.what === 'fallback');
    }
    release();
    const outcome = await operation.result();
    // Before the frame of an operation begins nothing was done that could be taken back.
    if (step === 'assess') expect(outcome.result).toMatch(/^(fell back|aborted)$/);
    else expect(outcome.result).toBe('fell back');
    expectAllBack(fake);
  },
  600_000,
);

/** Some of them; a thorough run takes them all. */
const terminatedIn = fallbackSteps.filter((_, i) => thorough || i % 4 === 0);

test.concurrent.each(terminatedIn.map((step, i) => [step, i] as const))(
  'a fallback that is terminated during %s is started again, and goes on',
  async (step, i) => {
    const name = `again-${i}`;
    const fake = stage.deploy(name, { policy: `${policy}\napprovals: { finalize: { roles: [product] } }` });
    const upgrade = await stage.start(name);
    await upgrade.waits('approval', 'finalize');
    await upgrade.tell('abort', { by: 'cleo' });
    await upgrade.result();
    fake.begun.clear();
    const release = fake.hold(step);
    held.push(release);
    const first = await stage.start(name, { reason: 'an incident' }, 'fallback');
    await until(`${step} is begun`, () => Promise.resolve(fake.begun.has(step)), 100_000);
    await stage.handle(first.workflowId).terminate('interrupted');
    release();
    const second = await stage.start(name, { reason: 'an incident, once more' }, 'fallback');
    expect(await second.result()).toMatchObject({ result: 'completed' });
    expectAllBack(fake);
  },
  600_000,
);

test('these are all the steps that there are, a standby’s and a node’s way back among them', () => {
  expect(upgradeSteps).toEqual(
    expect.arrayContaining(['addStandby shard-1', 'freezeStandby shard-1', 'handOver shard-1']),
  );
  expect(fallbackSteps).toEqual(
    expect.arrayContaining([
      ...[
        'assessFallback',
        'lookBack shard-1',
        'cutOver shard-1',
        'returnNode 10.0.1.0:6379',
        'returnNode 10.0.1.1:6379',
      ],
      ...['removeStandby shard-1'],
    ]),
  );
});
