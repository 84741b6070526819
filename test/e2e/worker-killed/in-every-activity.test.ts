import { afterEach, beforeEach, expect, test } from 'vitest';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { Stage } from '../../../scripts/sandbox/stage.js';
import { Dataset } from '../stage/dataset.js';
import { expectCompleted, expectUnnoticed, readReport } from '../stage/evidence.js';
import { expectWhole, readNodes } from '../stage/nodes.js';
import { expectKilled, killsIn, policy } from './kills.js';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open({ quickRetries: true });
});
afterEach(() => stage[Symbol.asyncDispose]());

test('in every activity of 7.0 → 8.0, three shards at once, fast', async () => {
  // Too small for any upgrade: it is enlarged, and put back.
  await using cluster = await Sandbox.cluster({ release: '7.0', configuration: ['repl-backlog-size 16kb'] });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { ...policy, handover: 'fast', parallelShards: 3 } });
  await stage.faults.draw(...killsIn());
  stage.keepWorker(2);

  const outcome = await (await stage.start('orders', '8.0')).result();

  expectCompleted(outcome);
  await expectKilled(stage, cluster);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  const report = await readReport(outcome);
  expectUnnoticed(report);
  expect(report.probe?.interruptions?.length).toBeGreaterThan(0);
}, 1_200_000);
