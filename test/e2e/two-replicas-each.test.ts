import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Dataset } from './stage/dataset.js';
import { expectBackups, expectCompleted, expectUnnoticed, readReport } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';

// A sibling was compared with the old primary only: nobody would have known that it differs from the new one.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

test('with two replicas each every node is compared with the primary that it has in the end', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0.6', primaries: 1, replicasEach: 2 });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('siblings', cluster);

  const outcome = await (await stage.start('siblings', '8.0')).result();

  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  const report = await readReport(outcome);
  expectUnnoticed(report);
  await expectBackups(report, 1);
  const primary = report.handovers[0]?.to;
  const replicas = cluster.nodes.map((node) => node.address).filter((address) => address !== primary);
  const underIt = report.verify.filter((it) => it.primary === primary).map((it) => it.replica);
  expect(underIt.sort()).toEqual(replicas.sort());
}, 180_000);
