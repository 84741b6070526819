import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from './stage/dataset.js';
import { expectCompleted, readReport } from './stage/evidence.js';
import { inPlaceOfServer } from './stage/in-place-of-server.js';
import { expectWhole, readNodes } from './stage/nodes.js';

// A replica that loads for long links to its primary long after its start, as after a failover by somebody else.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

/** 10 ms for each key, by a setting that was made for Redis' own tests. */
const loadingSlowly = (server: string): string[] => [`exec "${server}" "$@" --key-load-delay 10000`];

test('after a long load nothing waits for roles that did not change', async () => {
  await using cluster = await Sandbox.cluster({
    ...{ release: '7.0', primaries: 1, replicasEach: 1 },
    configuration: ['cluster-node-timeout 2000'],
  });
  const dataset = await Dataset.write(cluster, 1000);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, {
    platform: { kind: 'process', servers: { '8.0.6': await inPlaceOfServer(stage, 'loads-slowly', loadingSlowly) } },
    policy: { canarySoak: '0s', soak: '0s', settle: '8s', verify: 'sample' },
  });
  const operation = await stage.start('orders', '8.0');
  const outcome = await operation.result();
  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  // Longer than policy.settle, so that nothing is left to wait for since the shard was begun.
  const starts = (await operation.activities()).filter(({ what }) => what === 'swapVersion');
  expect(Math.min(...starts.map(({ from, to }) => to - from))).toBeGreaterThan(8000);
  const { timeline } = await readReport(outcome);
  expect(timeline.filter(({ kind, text }) => kind === 'gate' && text.startsWith('handover'))).toEqual([]);
}, 480_000);
