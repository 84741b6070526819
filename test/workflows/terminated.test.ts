// Somebody terminates an upgrade in Temporal and starts again at once: its shard's workflow still has a node in hand.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FakeDeployment } from './stage/fake-deployment.js';
import { FakeStage } from './stage/fake-stage.js';

let stage: FakeStage;
const held: (() => void)[] = [];
beforeAll(async () => {
  stage = await FakeStage.open();
});
afterAll(() => {
  for (const release of held) release();
  return stage[Symbol.asyncDispose]();
});

const replica = '10.0.1.1:6379';

/** Starts an upgrade, and terminates it in the step; the returned function waits until its children have ended. */
async function terminatedIn(name: string, step: string): Promise<{ fake: FakeDeployment; goOn: () => Promise<void> }> {
  const fake = stage.deploy(name);
  const release = fake.hold(step);
  held.push(release);
  const { workflowId } = await stage.start(name);
  await expect.poll(() => fake.begun.has(step), { timeout: 60_000, interval: 20 }).toBe(true);
  const children = ['rolling', 'shard-1'].map((child) => stage.handle(`${workflowId}/${child}`));
  await stage.handle(workflowId).terminate('its operator gave up');
  return {
    fake,
    goOn: async () => {
      release();
      for (const child of children) await child.result().catch(() => undefined);
    },
  };
}

const notYet = (name: string): RegExp =>
  new RegExp(`redis/${name}/rolling of an earlier operation, which was terminated, has not ended yet`);

test.each([
  ['in-hand', `rejoin ${replica}`, false],
  ['down', `swapVersion ${replica}`, true],
])(
  'with a node %s: the start says who has it and does nothing; the one after that completes',
  async (name, step, isDown) => {
    const { fake, goOn } = await terminatedIn(name, step);
    if (isDown) fake.away.add(replica);
    const done = [...fake.done];
    const { type, message } = await (await stage.start(name)).failure();
    expect(type).toBe('Stopped');
    expect(message).toMatch(notYet(name));
    expect(message).toContain('Nothing was touched.');
    expect(fake.done).toEqual(done);

    fake.away.clear();
    await goOn();
    expect(fake.isolated()).toEqual([]);
    expect(await (await stage.start(name)).result()).toMatchObject({ result: 'completed', nodes: 2 });
    expect(fake.done.filter((it) => it.startsWith('swapVersion'))).toHaveLength(2);
  },
);

test('with every node upgraded, and a shard not at its end: only then nothing is left to do', async () => {
  const { fake, goOn } = await terminatedIn('at-the-end', 'putBackShard 10.0.1.0:6379');
  expect(fake.releases()).toEqual(['8.0.6', '8.0.6']);
  expect(await (await stage.start('at-the-end')).failure()).toMatchObject({
    type: 'Stopped',
    message: expect.stringMatching(notYet('at-the-end')) as string,
  });
  await goOn();
  expect(fake.done).toContain('putBackShard 10.0.1.0:6379');
  expect(await (await stage.start('at-the-end')).failure()).toMatchObject({
    type: 'BadTarget',
    message: expect.stringContaining('Every node of at-the-end runs Redis 8.0.6 already') as string,
  });
});

test('with the shards’ own parent terminated too: the start names the shard that is left to itself', async () => {
  const name = 'orphaned';
  const { fake, goOn } = await terminatedIn(name, `rejoin ${replica}`);
  await stage.handle(`redis/${name}/rolling`).terminate('its operator gave that up, too');
  const done = [...fake.done];
  const { type, message } = await (await stage.start(name)).failure();
  expect(type).toBe('Stopped');
  expect(message).toMatch(/redis\/orphaned\/shard-1 of an earlier operation, which was terminated, has not ended yet/);
  expect(message).toContain('Nothing was touched.');
  expect(fake.done).toEqual(done);

  await goOn();
  expect(await (await stage.start(name)).result()).toMatchObject({ result: 'completed', nodes: 2 });
});
