import { afterEach, beforeEach, expect, test } from 'vitest';
import { operationId, rollingId, shardId } from '../../../model/names.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';
import { Stage } from '../../../scripts/sandbox/stage.js';
import { inPlaceOfServer } from '../stage/in-place-of-server.js';
import { Dataset } from '../stage/dataset.js';
import { expectCompleted, expectNothingLost } from '../stage/evidence.js';
import { expectWhole, readNodes } from '../stage/nodes.js';
import { expectKilled, killsIn, policy } from './kills.js';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open({ quickRetries: true });
});
afterEach(() => stage[Symbol.asyncDispose]());

test('while a replica is taken back from a new version that dies', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  const program = await inPlaceOfServer(stage, 'redis-server-that-ends', () => ['echo "no library" >&2', 'exit 1']);
  await stage.deploy('orders', cluster, { platform: { kind: 'process', servers: { '8.0.6': program } }, policy });
  await stage.faults.draw(...killsIn('taken back'));
  stage.keepWorker(2);

  const operation = await stage.start('orders', '8.0');
  const { type, message } = await operation.failure();

  expect({ type, message }).toMatchObject({ type: 'StartFailed' });
  expect(message).toContain('failed on the new version and is back on 7.0.15');
  await expectKilled(stage, cluster);
  await expectNothingLost(operation);
  await expectWhole(cluster, { release: '7.0.15', before });
  await dataset.expectSame(10_000);
}, 1_200_000);

test('while a node is brought back that a terminated upgrade left down', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy });
  await stage.faults.draw({ activity: 'swapVersion', when: 'during', at: 'spawn', kind: 'kill' });
  await stage.start('orders', '8.0');
  await until(
    'the worker was killed with the node down',
    async () => (await stage.faults.unfired()).length === 0,
    60_000,
  );
  // Root first: what it started would otherwise bring the node back by itself, before it ends.
  for (const id of [operationId('orders'), rollingId(operationId('orders')), shardId(operationId('orders'), 'shard-1')])
    await stage.client.workflow.getHandle(id).terminate('its operator gave up');
  await stage.faults.draw(...killsIn('brought back'));
  stage.keepWorker(2);

  const outcome = await (await stage.start('orders', '8.0')).result();

  expectCompleted(outcome);
  await expectKilled(stage, cluster);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
}, 1_200_000);
