import { afterEach, beforeEach, test } from 'vitest';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';
import { Stage } from '../../../scripts/sandbox/stage.js';
import { Dataset } from '../stage/dataset.js';
import { expectCompleted, expectUnnoticed, readReport } from '../stage/evidence.js';
import { expectWhole, readNodes } from '../stage/nodes.js';
import { expectKilled, killsOf, policy } from './kills.js';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open({ quickRetries: true });
});
afterEach(() => stage[Symbol.asyncDispose]());

// The steps of a replica are killed in every run, and it is upgraded first: these are of the node that wrote until a moment ago.
test.each([
  ['5.0.6', '8.0', '8.0.6', 'safe'],
  ['7.0', '8.0', '8.0.6', 'fast'],
] as const)(
  'in each step of the old primary, %s → %s',
  async (from, to, reached, handover) => {
    await using cluster = await Sandbox.cluster({ release: from, primaries: 1 });
    const dataset = await Dataset.write(cluster, 300);
    const before = await readNodes(cluster);
    await stage.deploy('orders', cluster, { policy: { ...policy, handover } });
    const [primary] = cluster.nodes;
    const steps = ['isolate', 'snapshot', 'swapVersion', 'rejoin', 'verifyNode', 'release'] as const;
    await stage.faults.draw(...steps.flatMap((step) => killsOf(step, primary?.address)));
    stage.keepWorker(2);

    const outcome = await (await stage.start('orders', to)).result();

    expectCompleted(outcome);
    await expectKilled(stage, cluster);
    await expectWhole(cluster, { release: reached, before });
    await dataset.expectSame(10_000);
    expectUnnoticed(await readReport(outcome));
  },
  1_200_000,
);
