import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findServers } from '../../platforms/process/servers.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from './stage/dataset.js';
import { expectCompleted, readReport } from './stage/evidence.js';
import { expectWhole, readNodes } from './stage/nodes.js';

// A replica that loads for long links to its primary long after its start, as after a failover by somebody else.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

/** A server that takes 10 ms to load a key, by a setting that was made for Redis' own tests. */
async function slowToLoad(release: string): Promise<string> {
  const path = join(stage.root, `slow-${release}`);
  const server = (await findServers()).get(release) ?? '';
  const text = `#!/bin/sh\ncase "$1" in\n--*) exec "${server}" "$@" ;;\n*) exec "${server}" "$@" --key-load-delay 10000 ;;\nesac\n`;
  await writeFile(path, text);
  await chmod(path, 0o755);
  return path;
}

test('after a long load nothing waits for roles that did not change', async () => {
  await using cluster = await Sandbox.cluster({
    ...{ release: '7.0', primaries: 1, replicasEach: 1 },
    configuration: ['cluster-node-timeout 2000'],
  });
  const dataset = await Dataset.write(cluster, 1000);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, {
    platform: { kind: 'process', servers: { '8.0.6': await slowToLoad('8.0.6') } },
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
