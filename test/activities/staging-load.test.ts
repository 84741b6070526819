// A copy that is put under traffic that production never had, while an assessment knows better.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assumedShape } from '../../model/load-shape.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { StagingStage } from './staging-stage.js';

let cluster: Sandbox;
let stage: StagingStage;
beforeAll(async () => {
  cluster = await Sandbox.cluster({ release: '7.2', primaries: 1, replicasEach: 0 });
  stage = await StagingStage.open(cluster);
  await stage.deploy();
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

const target = { to: '8.0', via: [] };

test('without staging.load the newest assessment that observed any decides; the file before it; else it is assumed', async () => {
  await using node = await cluster.connect();
  await node.pipeline(Array.from({ length: 300 }, (_, i) => ['HSET', `basket:${i}`, 'items', 'x'.repeat(50)]));
  const backup = await stage.backUp({ proven: true });
  const begin = () => stage.attempt((acts) => acts.beginStaging({ ...stage.order, ...target, backup }));
  const assumed = await begin();
  expect(assumed.load).toMatchObject({ shape: assumedShape, source: expect.stringContaining('assumed') as string });

  const startedAt = new Date().toISOString();
  const assess = async (assessment: string, looks: number): Promise<void> => {
    const { from, way } = await stage.attempt((acts) => acts.beginAssessment({ ...stage.order, ...target }));
    for (let look = 1; look <= looks; look++) {
      if (look > 1)
        for (let i = 0; i < 50; i++)
          await node.pipeline([
            ...Array.from({ length: 9 }, (_, n) => ['HGETALL', `basket:${i + n}`]),
            ['HSET', `basket:${i}`, 'items', 'y'.repeat(50)],
          ]);
      await stage.attempt((acts) => acts.lookAtUse({ ...stage.order, ...target, look }));
    }
    await stage.attempt((acts) =>
      acts.concludeAssessment({
        ...{ ...stage.order, ...target, assessment, startedBy: 'ana', startedAt, from, way },
        ...{ monitorMs: 0, sample: 200, scripts: {}, libraries: {} },
      }),
    );
  };
  await assess('20261130T120000Z-00000001', 2);
  // Looked at once, and not over time: it says nothing of the traffic.
  await assess('20261130T130000Z-00000002', 1);

  const { load } = await begin();
  expect(load?.source).toMatch(new RegExp(`^the traffic is as the assessment of ${startedAt} saw it, \\d.* before$`));
  expect(load?.shape).toMatchObject({ keys: { pattern: 'basket:*', count: 300 }, valueSizes: [{ share: 1 }] });
  const shares = Object.fromEntries(load?.shape.commands.map(({ name, share }) => [name, share]) ?? []);
  expect(shares['hgetall']).toBeCloseTo(0.9, 1);
  expect(load?.shape.readShare).toBeCloseTo(0.9, 1);
  expect(load?.shape.ratePerSecond).toBeGreaterThan(1);

  await stage.deploy({ load: { ...assumedShape, ratePerSecond: 77 } });
  expect((await begin()).load).toEqual({ shape: { ...assumedShape, ratePerSecond: 77 } });
});
