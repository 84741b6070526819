import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Dataset } from './stage/dataset.js';
import { expectCompleted, expectUnnoticed, readReport } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';

// The Temporal server goes away in the middle of a swap, ended or killed, and comes back on the file that it kept its
// state in: the upgrade goes on, and nobody has noticed.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({ durable: true });
});
afterAll(() => stage[Symbol.asyncDispose]());

test('7.4 → 8.0 with a Temporal server that is restarted, and killed', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.4', primaries: 1 });
  const dataset = await Dataset.write(cluster, 400);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { handover: 'fast' } });

  const operation = await stage.start('orders', '8.0');
  await operation.until('a swap has begun', (_, timeline) => timeline.some(({ text }) => text === 'start 8.0.6'));
  await stage.restartTemporal();
  await operation.until('a handover has begun', (_, timeline) =>
    timeline.some(({ text }) => text.startsWith('hand over to ')),
  );
  await stage.restartTemporal('SIGKILL');
  const outcome = await operation.result();

  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  expectUnnoticed(await readReport(outcome));
  expect((await operation.read()).status.progress).toEqual({ upgraded: 2, nodes: 2 });
}, 1_200_000);
