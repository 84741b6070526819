import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTopology } from '../../redis/topology.js';
import { Sandbox, until, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectCompleted } from '../e2e/stage/evidence.js';
import { expectWhole, readNodes, type NodeState } from '../e2e/stage/nodes.js';
import { chain } from '../redis/handover/chain.js';

// One upgrade of a shard with two replicas: while one is out, all others forget the other, and at the handover
// one comes back chained to the old primary.
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
  await stage.faults.draw(
    { activity: 'release', when: 'after', kind: 'hold' },
    { activity: 'handOver', when: 'before', kind: 'hold' },
  );
  operation = await stage.startShard('orders', '6.2', 'shard-1');
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

const addresses = (): string[] => cluster.nodes.map((node) => node.address);
function nodeAt(address: string | undefined): SandboxNode {
  const found = cluster.nodes.find((node) => node.address === address);
  if (!found) throw new Error(`the sandbox has no ${address}`);
  return found;
}

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
  await stage.faults.held();
  expect((await shard()).replicas.map(({ release }) => release)).toEqual(['6.2.14', '6.2.14']);
}, 600_000);

test('a sibling that comes back chained to the old primary is pointed at the new one', async () => {
  const { status } = await operation.read();
  const { primary, replicas } = await shard();
  const old = nodeAt(primary.address);
  const [next, sibling] = [true, false].map((chosen) =>
    nodeAt(replicas.find(({ address }) => status.reason.endsWith(`→ ${address}`) === chosen)?.address),
  ) as [SandboxNode, SandboxNode];
  await cluster.kill(sibling);
  const log = (): Promise<string> => readFile(join(sibling.home, 'redis.log'), 'utf8');
  const logged = (await log()).length;
  await stage.faults.letGo();
  await until(`${next.address} is primary`, async () => {
    const [role] = (await cluster.ask(next.address, 'ROLE')) as [string];
    return role === 'master';
  });
  await chain(sibling, old, next);
  await cluster.start(sibling);
  await until(
    'it follows the new one',
    async () => {
      const [role, , port] = (await cluster.ask(sibling.address, 'ROLE')) as [string, string, number];
      return role === 'slave' && port === next.port;
    },
    120_000,
  );
  const since = (await log()).slice(logged);
  expect(since).toContain(`Connecting to MASTER ${old.address}`);
  expect(since).toContain(`Connecting to MASTER ${next.address}`);
}, 600_000);

test('it completes, and every node is whole', async () => {
  expectCompleted(await operation.result());
  await expectWhole(cluster, { release: '6.2.14', before });
  await dataset.expectSame(10_000);
}, 600_000);
