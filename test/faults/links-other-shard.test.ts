import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox, until, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import { readNodes } from '../../scripts/sandbox/node-states.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectNothingLost, reportIn } from '../e2e/stage/evidence.js';
import { expectWhole } from '../e2e/stage/nodes.js';

// While one shard is upgraded the primary of another dies, in the middle of a node and again in the middle of the handover.
let stage: Stage;
let cluster: Sandbox;

beforeAll(async () => {
  stage = await Stage.open({ quickRetries: true });
  cluster = await Sandbox.cluster({ release: '7.0', configuration: ['cluster-node-timeout 2000'] });
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

const role = async (node: SandboxNode): Promise<string> => {
  await using connection = await cluster.connect(node);
  return ((await connection.call('ROLE')) as [string])[0];
};

/** It has no file to come back with: only once its replica serves is it started, and follows that one. */
async function comeBack(dead: SandboxNode, heir: SandboxNode): Promise<void> {
  await until(
    `${heir.address} serves in the place of ${dead.address}`,
    async () => (await role(heir)) === 'master',
    60_000,
  );
  await cluster.start(dead);
  await until(`${dead.address} follows`, async () => (await role(dead)) === 'slave', 60_000);
}

test('the primary of another shard dies, twice: its replica takes over, and this shard waits for nothing else', async () => {
  const [, other, , replica, heir] = cluster.nodes as [SandboxNode, SandboxNode, SandboxNode, SandboxNode, SandboxNode];
  const dataset = await Dataset.write(cluster, 100);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { handover: 'fast' } });
  await stage.faults.draw(
    { activity: 'snapshot', when: 'before', kind: 'hold', node: replica.address },
    { activity: 'handOver', when: 'before', kind: 'hold' },
  );
  const operation = await stage.startShard('orders', '8.0', 'shard-1');

  await stage.faults.held();
  await cluster.kill(other);
  await stage.faults.letGo();
  // The node in hand is finished; the role is not moved while the cluster is not whole.
  const { status } = await operation.waits('gate', 'topology');
  expect(status.waiting.find(({ name }) => name === 'topology')?.reason).toMatch(
    new RegExp(`before the handover of shard-1: .*${other.address}`),
  );
  expect(status.shards.flatMap(({ nodes }) => nodes).find(({ address }) => address === replica.address)).toMatchObject({
    state: 'upgraded',
  });
  await comeBack(other, heir);

  // Now it is the heir that dies, between the gate and the handover.
  await stage.faults.held();
  await cluster.kill(heir);
  await stage.faults.letGo();
  await comeBack(heir, other);
  expect(await operation.result()).toMatchObject({ result: 'completed' });

  const { handovers } = await reportIn((await operation.read()).status.artefacts);
  expect(handovers).toMatchObject([{ from: cluster.nodes[0]?.address, to: replica.address }]);
  await expectNothingLost(operation);
  await expectWhole(cluster, {
    release: cluster.nodes.map(({ address }) =>
      [cluster.nodes[0]?.address, replica.address].includes(address) ? '8.0.6' : '7.0.15',
    ),
    before,
  });
  await dataset.expectSame(10_000);
}, 600_000);
