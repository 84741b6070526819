import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectCompleted, expectNothingLost, readReport } from '../e2e/stage/evidence.js';
import { expectWhole, failOver, readNodes } from '../e2e/stage/nodes.js';

// The role has moved, and moves once more before anybody has heard of it.
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({ quickRetries: true });
});
afterAll(() => stage[Symbol.asyncDispose]());

test('somebody fails the shard back to the old release as its handover is done', async () => {
  await using cluster = await Sandbox.cluster({
    ...{ release: '7.0', primaries: 1 },
    configuration: ['cluster-node-timeout 2000'],
  });
  const dataset = await Dataset.write(cluster, 200);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { canarySoak: '0s', soak: '0s' } });
  await stage.faults.draw({ activity: 'handOver', when: 'after', kind: 'hold' });
  const operation = await stage.start('orders', '8.0');
  await stage.faults.held();
  const [old, successor] = cluster.nodes.map(({ address }) => address);
  await failOver(cluster, { to: old ?? '' });
  await stage.faults.letGo();

  const { type, message } = await operation.failure();
  expect(type).toBe('Stopped');
  expect(message).toContain(`${old} of shard-1, which ${successor} had taken over from, was left as it is`);
  expect(message).toContain(`${old} is primary: a primary is handed over before it is stopped, never just stopped`);
  expect(message).toContain('1 of 2 nodes run 8.0.6.');
  expect(message.split('\n').at(-1)).toContain('rollout start orders --to 8.0');
  // It never was away: nothing was done to whoever serves.
  const between = await readNodes(cluster);
  expect(between.map(({ address, role }) => [address, role])).toEqual([
    [old, 'master'],
    [successor, 'slave'],
  ]);
  await expectNothingLost(operation);

  const outcome = await (await stage.start('orders', '8.0')).result();
  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  expect((await readReport(outcome)).handovers).toHaveLength(1);
}, 480_000);
