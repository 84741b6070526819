import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectCompleted, readReport } from '../e2e/stage/evidence.js';
import { expectWhole, failOver, readNodes } from '../e2e/stage/nodes.js';

// While one replica is out, somebody promotes another: to a node of the old release, then to one of the new.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

test('the node in hand follows whoever serves now, and is compared with that one', async () => {
  await using cluster = await Sandbox.cluster({
    ...{ release: '7.0', primaries: 1, replicasEach: 2 },
    configuration: ['cluster-node-timeout 2000'],
  });
  const dataset = await Dataset.write(cluster, 200);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { canarySoak: '0s', soak: '0s' } });
  // A save that takes a while is a moment that can be met.
  await saveSlowly(cluster, 15_000);
  const operation = await stage.start('orders', '8.0');

  const first = await savingNode(operation, []);
  const old = cluster.nodes.slice(1).find(({ address }) => address !== first);
  await failOver(cluster, { to: old?.address ?? '' });
  const second = await savingNode(operation, [first]);
  await failOver(cluster, { to: first });
  await saveSlowly(cluster, 0);

  const outcome = await operation.result();
  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  // Whoever serves in the end, every other node was compared with it after its own upgrade.
  const { verify } = await readReport(outcome);
  const serving = (await readNodes(cluster)).find(({ role }) => role === 'master')?.address ?? '';
  const compared = verify.filter(({ primary }) => primary === serving).map(({ replica }) => replica);
  const others = cluster.nodes.map(({ address }) => address).filter((address) => address !== serving);
  expect(compared).toEqual(expect.arrayContaining(others));
  expect([first, second]).toHaveLength(new Set([first, second]).size);
}, 480_000);

/** The node whose save is under way, other than those before. */
async function savingNode(operation: Operation, before: readonly string[]): Promise<string> {
  let node = '';
  await operation.until('another node saves', (_, timeline) => {
    node = timeline.find((it) => it.text === 'save' && it.node !== undefined && !before.includes(it.node))?.node ?? '';
    return node !== '';
  });
  return node;
}

/** @param perKey µs (rdb-key-save-delay, made for Redis' own tests) */
async function saveSlowly(cluster: Sandbox, perKey: number): Promise<void> {
  for (const node of cluster.nodes) {
    await until(`${node.address} answers`, async () => {
      await using connection = await cluster.connect(node);
      await connection.call('CONFIG', 'SET', 'rdb-key-save-delay', perKey);
      return true;
    });
  }
}
