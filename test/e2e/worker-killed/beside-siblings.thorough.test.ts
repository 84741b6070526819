import { afterEach, beforeEach, test } from 'vitest';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { Stage } from '../../../scripts/sandbox/stage.js';
import { Dataset } from '../stage/dataset.js';
import { expectCompleted, expectUnnoticed, readReport } from '../stage/evidence.js';
import { expectWhole, readNodes } from '../stage/nodes.js';
import { expectKilled, killsIn, killsOf, policy } from './kills.js';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open({ quickRetries: true });
});
afterEach(() => stage[Symbol.asyncDispose]());

test('in the handover of 5.0.6 → 8.0, safe, and while siblings are compared', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0.6', primaries: 1, replicasEach: 2 });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { ...policy, handover: 'safe' } });
  await stage.faults.draw(...killsIn('with a sibling'), ...killsOf('handOver'));
  stage.keepWorker(2);

  const outcome = await (await stage.start('orders', '8.0')).result();

  expectCompleted(outcome);
  await expectKilled(stage, cluster);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  expectUnnoticed(await readReport(outcome));
}, 1_200_000);
