import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseInfo, releaseFromInfo } from '../../redis/info.js';
import { Sandbox, until, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import { killed } from '../../scripts/sandbox/node-faults.js';
import { readNodes, type NodeState } from '../../scripts/sandbox/node-states.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { inPlaceOfServer } from '../e2e/stage/in-place-of-server.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectNothingLost } from '../e2e/stage/evidence.js';
import { expectWhole } from '../e2e/stage/nodes.js';

// The node in hand is killed, its old primary can't be started, and the worker's file breaks meanwhile: what is said is
// true, and the next start goes on.
let stage: Stage;
let cluster: Sandbox;
let primary: SandboxNode;
let replica: SandboxNode;
let before: NodeState[];
let dataset: Dataset;

beforeAll(async () => {
  stage = await Stage.open({ quickRetries: true });
  // Too small for any upgrade: it is enlarged, and put back.
  cluster = await Sandbox.cluster({ release: '7.0', primaries: 1, configuration: ['repl-backlog-size 16kb'] });
  [primary, replica] = cluster.nodes as [SandboxNode, SandboxNode];
  dataset = await Dataset.write(cluster, 200);
  before = await readNodes(cluster);
  await stage.deploy('orders', cluster);
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

const start = (): Promise<Operation> => stage.startShard('orders', '8.0', 'shard-1');

const runs = async (node: SandboxNode): Promise<string> => {
  await using connection = await cluster.connect(node);
  return releaseFromInfo(parseInfo(String(await connection.call('INFO', 'server'))));
};

/** A save that takes a while is a moment that can be met (rdb-key-save-delay, made for Redis' own tests). */
async function saveSlowly(perKey: number): Promise<void> {
  await using connection = await cluster.connect(replica);
  await connection.call('CONFIG', 'SET', 'rdb-key-save-delay', perKey);
}

const linked = (node: SandboxNode): Promise<void> =>
  until(`${node.address} is linked`, async () => {
    await using connection = await cluster.connect(node);
    return parseInfo(String(await connection.call('INFO', 'replication')))['master_link_status'] === 'up';
  });

test.each(['isolate', 'save'])(
  'the replica is killed at %s: it is taken back, and the end says so',
  async (step) => {
    await saveSlowly(20_000);
    const operation = await start();
    const failure = operation.failure();
    failure.catch(() => undefined);
    await operation.until(`${step} begins`, (_, timeline) =>
      timeline.some(({ node, text }) => node === replica.address && text === step),
    );
    await killed(cluster, replica);
    const { type, message } = await failure;

    expect(type).toBe('StartFailed');
    expect(message).toContain(`${replica.address} failed and runs 7.0.15: ${replica.address} ended`);
    // By nobody else than the upgrade.
    expect(await runs(replica)).toBe('7.0.15');
    await linked(replica);
    await expectNothingLost(operation);
    await expectWhole(cluster, { release: '7.0.15', before });
  },
  600_000,
);

test('the deployment file breaks while a replica is out, and the old primary can’t be started', async () => {
  await saveSlowly(20_000);
  const operation = await start();
  const failure = operation.failure();
  failure.catch(() => undefined);
  await operation.until('the replica saves', (_, timeline) => timeline.some(({ text }) => text === 'save'));
  await writeFile(join(stage.deployments, 'orders.yaml'), 'name: [');
  const { status } = await operation.waits('worker', 'deployment');
  expect(status.waiting[0]).toMatchObject({ reason: expect.stringContaining('orders.yaml') as string });
  const program = await inPlaceOfServer(stage, 'not-for-the-primary', (server) => [
    `[ "$PWD" = "${primary.home}" ] && exit 1`,
    `exec "${server}" "$@"`,
  ]);
  await stage.deploy('orders', cluster, { platform: { kind: 'process', servers: { '8.0.6': program } } });
  const { type, message } = await failure;

  expect(type).toBe('StartFailed');
  expect(message).toContain(`${primary.address} of shard-1 did not come back on 8.0.6`);
  expect(message).toContain('rollout start orders --to 8.0.6');
  await expect(runs(primary)).rejects.toThrow(/ECONNREFUSED/);
  expect(await runs(replica)).toBe('8.0.6');
  await expectNothingLost(operation);

  await stage.deploy('orders', cluster);
  const second = await start();
  expect(await second.result()).toMatchObject({ result: 'completed' });
  const { timeline } = await second.read();
  expect(timeline.map(({ text }) => text)).toContainEqual(
    expect.stringContaining(`${primary.address} was down: started again on 8.0.6`) as string,
  );
  await expectNothingLost(second);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
}, 600_000);
