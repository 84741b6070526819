import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from './stage/dataset.js';
import { expectWhole, readNodes, type NodeState } from './stage/nodes.js';

// Aborted in the middle of a step: the node in hand comes back first, and nothing is left behind on any.
let stage: Stage;
let cluster: Sandbox;
let before: NodeState[];
let dataset: Dataset;

/** One after the other, each on the node that the abort before it left: replicas first, the primary last. */
const steps = ['isolate', 'save', 'start 8.0.6', 'rejoin', 'verify', 'hand over to'];

beforeAll(async () => {
  stage = await Stage.open();
  cluster = await Sandbox.cluster({ release: '7.0', primaries: 1, replicasEach: steps.length - 1 });
  dataset = await Dataset.write(cluster, 400);
  before = await readNodes(cluster);
  // The probe measures nothing here: that data is the same is seen key by key.
  await stage.deploy('orders', cluster, {
    policy: { canarySoak: '0s', soak: '0s', settle: '0s', probe: { enabled: false } },
  });
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

const upgraded = async (): Promise<number> =>
  (await readNodes(cluster)).filter(({ release }) => release === '8.0.6').length;

test.each(steps)(
  'during “%s”',
  async (step) => {
    const done = await upgraded();
    const operation = await stage.start('orders', '8.0');
    await operation.until(`${step} has begun`, (_, timeline) => timeline.some(({ text }) => text.startsWith(step)));
    expect(await operation.tell('abort', { by: 'ana', reason: `during ${step}` })).toHaveProperty('done');
    const outcome = await operation.result();
    expect(outcome).toMatchObject({ result: 'aborted' });
    const nodes = await readNodes(cluster);
    // The node in hand is done; a step that was over before anybody heard of the abort may have been followed by another.
    // With the primary alone left, its replicas are compared again first, and nothing is in hand meanwhile.
    expect(await upgraded()).toBeGreaterThanOrEqual(done < nodes.length - 1 ? done + 1 : done);
    expect(outcome.statement).toContain(`${await upgraded()} of ${nodes.length} nodes run 8.0.6`);
    await expectWhole(cluster, { release: nodes.map(({ release }) => release), before });
    await dataset.expectSame(10_000);
  },
  300_000,
);

test('started again it completes', async () => {
  const done = await upgraded();
  if (done < cluster.nodes.length)
    expect(await (await stage.start('orders', '8.0')).result()).toMatchObject({ result: 'completed' });
  await expectWhole(cluster, { release: '8.0.6', before });
}, 300_000);
