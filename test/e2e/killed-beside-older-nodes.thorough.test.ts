import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Dataset } from './stage/dataset.js';
import { expectWhole, readNodes } from './stage/nodes.js';
import { Stage } from '../../scripts/sandbox/stage.js';

// In the middle of an upgrade a node of 7.4 dies beside one of 7.0, and whatever supervises it starts it again: by itself
// it could not read its own nodes.conf any more (redis#12761).
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

test('7.0 → 7.4: upgraded replicas are killed while their primary is still of 7.0, and start again', async () => {
  await using cluster = await Sandbox.cluster({ release: '7.0', primaries: 1, replicasEach: 2 });
  const [, ...replicas] = cluster.nodes;
  const dataset = await Dataset.write(cluster, 300);
  const before = await readNodes(cluster);
  await stage.deploy('mixed', cluster, {
    policy: { canarySoak: '0s', roles: { engineering: ['ana'] }, approvals: { handover: { roles: ['engineering'] } } },
  });
  const operation = await stage.start('mixed', '7.4');
  await operation.waits('approval', 'handover');

  // What each of them has made of its own and tells the other: two ids, and neither starts again.
  const shardIds = await Promise.all(
    replicas.map(async (node) => {
      await using connection = await cluster.connect(node);
      return await connection.call('CLUSTER', 'MYSHARDID');
    }),
  );
  expect(new Set(shardIds).size).toBe(1);
  for (const node of replicas) {
    await cluster.kill(node);
    await cluster.start(node);
  }
  await operation.tell('abort', { by: 'ana', reason: 'seen enough' });
  expect((await operation.result()).result).toBe('aborted');
  await expectWhole(cluster, { release: ['7.0.15', '7.4.1', '7.4.1'], before });
  await dataset.expectSame(10_000);
}, 480_000);
