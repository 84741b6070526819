import { expect, test } from 'vitest';
import { parseInfo, releaseFromInfo } from '../../redis/info.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { readNodes } from '../../scripts/sandbox/node-states.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectNothingLost } from '../e2e/stage/evidence.js';
import { expectWhole } from '../e2e/stage/nodes.js';

test('the old primary dies with the takeover on its way: said, and the next start brings it back', async () => {
  await using stage = await Stage.open();
  await using cluster = await Sandbox.cluster({
    release: '7.0',
    primaries: 1,
    // Nobody is promoted but by the upgrade.
    configuration: ['cluster-node-timeout 60000'],
  });
  const [old, successor] = cluster.nodes;
  if (!old || !successor) throw new Error('the shard has two nodes');
  const dataset = await Dataset.write(cluster, 200);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { handover: 'fast', settle: '1s' } });
  await stage.faults.draw({ activity: 'handOver', when: 'during', at: 'CLUSTER FAILOVER', kind: 'hang' });

  const operation = await stage.startShard('orders', '8.0', 'shard-1');
  const failure = operation.failure();
  failure.catch(() => undefined);
  await until('the takeover is about to be sent', async () => (await stage.faults.fired()).length > 0, 120_000);
  // Writes are paused there, and its replica has all of them.
  await cluster.kill(old);
  process.kill(stage.workerPid, 'SIGCONT');
  const { type, message } = await failure;

  expect(type).toBe('StartFailed');
  expect(message).toContain(`${old.address} of shard-1 did not come back on 8.0.6: ${old.address} ended`);
  expect(message).toContain(`${successor.address} took the shard over on 8.0.6`);
  const info = parseInfo(String(await cluster.ask(successor.address, 'INFO')));
  expect({ role: info['role'], release: releaseFromInfo(info) }).toEqual({ role: 'master', release: '8.0.6' });
  await expectNothingLost(operation);

  const second = await stage.startShard('orders', '8.0', 'shard-1');
  expect(await second.result()).toMatchObject({ result: 'completed' });
  await expectNothingLost(second);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
}, 600_000);
