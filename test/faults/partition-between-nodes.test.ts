import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTopology } from '../../redis/topology.js';
import { Sandbox, until, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Toxiproxy, type Proxy } from '../../scripts/sandbox/toxiproxy.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectCompleted, readReport } from '../e2e/stage/evidence.js';
import { expectWhole, failOver, readNodes } from '../e2e/stage/nodes.js';

// Just before a handover somebody fails the shard over and back, and then the nodes lose sight of each other, while every
// client reaches every one of them.
let stage: Stage;
let cluster: Sandbox;
let toxiproxy: Toxiproxy;

beforeAll(async () => {
  stage = await Stage.open();
  cluster = await Sandbox.cluster({ release: '7.0', primaries: 1, configuration: ['cluster-node-timeout 2000'] });
  toxiproxy = await Toxiproxy.start();
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
  await toxiproxy.stop();
});

const disagreements = async (): Promise<string[]> =>
  (
    await readTopology(
      cluster.endpoint(),
      cluster.nodes.map(({ address }) => address),
    )
  ).disagreements;

const agreed = (): Promise<void> => until('all agree', async () => (await disagreements()).length === 0);

/** From now on the others reach the node's bus by way of a proxy. */
async function busThrough(node: SandboxNode): Promise<Proxy> {
  const proxy = await toxiproxy.proxy(`bus-${node.port}`, `127.0.0.1:${node.port + 10_000}`);
  const port = proxy.address.split(':')[1] ?? '';
  await cluster.ask(node.address, 'CONFIG', 'SET', 'cluster-announce-bus-port', port);
  await until(`the others use the proxy of ${node.address}`, async () => {
    const views = await Promise.all(cluster.nodes.map((it) => cluster.ask(it.address, 'CLUSTER', 'NODES')));
    return views.every((view) => String(view).includes(`${node.address}@${port}`));
  });
  return proxy;
}

test('no handover while nodes don’t see each other, nor right after somebody else’s; then it goes on', async () => {
  const [primary, replica] = cluster.nodes;
  if (!primary || !replica) throw new Error('the sandbox has two nodes');
  const proxies = [await busThrough(primary), await busThrough(replica)];
  await agreed();
  const dataset = await Dataset.write(cluster, 100);
  const before = await readNodes(cluster);
  await stage.deploy('orders', cluster, {
    policy: {
      canarySoak: '0s',
      roles: { operations: ['ana'] },
      approvals: { handover: { roles: ['operations'], quorum: 1 } },
    },
  });
  const operation = await stage.start('orders', '8.0');
  await operation.waits('approval', 'handover');

  await failOver(cluster, { to: replica.address });
  await agreed();
  await failOver(cluster, { to: primary.address });
  const failedBackAt = Date.now();
  await agreed();

  for (const proxy of proxies) await proxy.cut();
  await until('both have lost sight of the other', async () => {
    const found = (await disagreements()).join('; ');
    return [primary, replica].every(({ address }) => new RegExp(`sees ${address} as p?fail`).test(found));
  });
  await operation.tell('approve', { by: 'ana', approval: 'handover' });
  const { status, timeline } = await operation.waits('gate', 'topology');
  const gate = status.waiting.find(({ name }) => name === 'topology');
  expect(gate?.reason).toMatch(new RegExp(`${replica.address} sees ${primary.address} as p?fail`));
  expect(gate?.reason).toMatch(new RegExp(`${primary.address} sees ${replica.address} as p?fail`));
  expect(gate?.clears).toContain('every node sees the same healthy cluster');
  expect(timeline.filter(({ text }) => text.startsWith('hand over to '))).toEqual([]);

  for (const proxy of proxies) await proxy.mend();
  const outcome = await operation.result();
  expectCompleted(outcome);
  const [handover] = (await readReport(outcome)).handovers;
  expect(handover).toMatchObject({ from: primary.address, to: replica.address });
  // policy.settle, though it was none of our handovers.
  expect(Date.parse(handover?.at ?? '') - failedBackAt).toBeGreaterThanOrEqual(11_000);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
}, 600_000);
