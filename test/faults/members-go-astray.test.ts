import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTopology } from '../../redis/topology.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectCompleted } from '../e2e/stage/evidence.js';
import { expectWhole, readNodes, type NodeState } from '../e2e/stage/nodes.js';

// One upgrade of a shard with two replicas: while one is out, all others forget the other.
let stage: Stage;
let cluster: Sandbox;
let dataset: Dataset;
let before: NodeState[];
let operation: Operation;

beforeAll(async () => {
  stage = await Stage.open();
  cluster = await Sandbox.cluster({ release: '5.0.6', primaries: 1, replicasEach: 2 });
  dataset = await Dataset.write(cluster, 200);
  before = await readNodes(cluster);
  await stage.deploy('orders', cluster, { policy: { canarySoak: '0s' } });
  await stage.faults.draw({ activity: 'release', when: 'after', kind: 'hold' });
  operation = await stage.startShard('orders', '6.2', 'shard-1');
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

const addresses = (): string[] => cluster.nodes.map((node) => node.address);
const shard = async () => {
  const { shards } = await readTopology(cluster.endpoint(), addresses());
  if (!shards[0]) throw new Error('expected a shard');
  return shards[0];
};

test('a replica that all others forget: topology holds and names it, until it meets them again', async () => {
  await stage.faults.held();
  const { replicas } = await shard();
  const gone = replicas.find(({ release }) => release === '5.0.6')?.address ?? '';
  const others = addresses().filter((address) => address !== gone);
  const id = String(await cluster.ask(gone, 'CLUSTER', 'MYID'));
  for (const other of others) await cluster.ask(other, 'CLUSTER', 'FORGET', id);
  await stage.faults.letGo();

  await operation.until('topology names who is forgotten', ({ waiting }) =>
    waiting.some(
      ({ name, reason }) => name === 'topology' && reason.includes(`${gone}, one of seeds, is forgotten by every`),
    ),
  );
  for (const other of others) await cluster.ask(other, 'CLUSTER', 'MEET', '127.0.0.1', Number(gone.split(':')[1]));
  const { timeline } = await operation.until('it is upgraded', (_, entries) =>
    entries.some(({ node, text }) => node === gone && text === 'release'),
  );
  const handover = timeline.findIndex(({ text }) => text.startsWith('hand over to '));
  const upgraded = timeline.findIndex(({ node, text }) => node === gone && text === 'release');
  expect(handover === -1 || upgraded < handover).toBe(true);
}, 300_000);

test('it completes, and every node is whole', async () => {
  expectCompleted(await operation.result());
  await expectWhole(cluster, { release: '6.2.14', before });
  await dataset.expectSame(10_000);
}, 300_000);
