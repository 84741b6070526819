import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseInfo } from '../../redis/info.js';
import { Sandbox, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import { diskFull } from '../../scripts/sandbox/node-faults.js';
import { readNodes } from '../../scripts/sandbox/node-states.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectCompleted } from '../e2e/stage/evidence.js';
import { expectWhole } from '../e2e/stage/nodes.js';

// What breaks at one exact moment: the activity is held as it begins, something is broken, and it is let go.
const password = 'swordfish-of-the-cluster';

let stage: Stage;
let cluster: Sandbox;
let replica: SandboxNode;
let secret: string;

beforeAll(async () => {
  stage = await Stage.open({ quickRetries: true });
  cluster = await Sandbox.cluster({
    release: '7.0',
    primaries: 1,
    diskBytes: 32 * 1024 * 1024,
    endpoint: { password },
    configuration: [`requirepass ${password}`, `masterauth ${password}`],
  });
  replica = cluster.nodes[1] as SandboxNode;
  secret = join(stage.root, 'secret');
  await writeFile(secret, password, { mode: 0o600 });
  await stage.deploy('orders', cluster, {
    credentials: { password: `file:${secret}` },
    policy: {
      canarySoak: '0s',
      soak: '0s',
      gates: { memoryHeadroom: 0.05 },
      roles: { operations: ['ana'] },
      approvals: { handover: { roles: ['operations'], quorum: 1 } },
    },
  });
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

async function set(node: SandboxNode, directive: string, value: string | number): Promise<void> {
  await using connection = await cluster.connect(node);
  await connection.call('CONFIG', 'SET', directive, value);
}

/** Only root may give a node a disk of its own. */
const mayMount = process.platform === 'linux' && process.getuid?.() === 0;

test.skipIf(!mayMount)(
  'the disk is full as a node is to be stopped: it runs on as it is, and that is said',
  async () => {
    const before = await readNodes(cluster);
    await stage.faults.draw({ activity: 'swapVersion', when: 'before', kind: 'hold', node: replica.address });
    const operation = await stage.start('orders', '8.0');
    await stage.faults.held();
    const undo = await diskFull(cluster, replica);
    // Room for a fence, and not for a start.
    await truncate(join(replica.home, 'filler'), 31 * 1024 * 1024);
    await stage.faults.letGo();

    const { type, message } = await operation.failure();
    await undo();
    expect(type).toBe('NoSpace');
    expect(message).toMatch(new RegExp(`${replica.address}: .* free on the disk of ${replica.home}, a start needs`));
    const after = await readNodes(cluster);
    expect(after.map(({ runId }) => runId)).toEqual(before.map(({ runId }) => runId));
    await expectWhole(cluster, { release: '7.0.15', before });
  },
  600_000,
);

test('a secret breaks with a node in hand, and memory runs short before the handover: both are waited for', async () => {
  const before = await readNodes(cluster);
  const dataset = await Dataset.write(cluster, 200);
  await stage.faults.draw({ activity: 'swapVersion', when: 'before', kind: 'hold', node: replica.address });
  const operation = await stage.start('orders', '8.0');
  await stage.faults.held();
  await writeFile(secret, 'not-what-the-nodes-know');
  await stage.faults.letGo();
  const { status } = await operation.waits('worker', 'deployment');
  expect(status.waiting[0]?.reason).toContain(`${replica.address} refused the password`);
  await writeFile(secret, password);

  await operation.waits('approval', 'handover');
  await using connection = await cluster.connect(replica);
  const used = Number(parseInfo(String(await connection.call('INFO', 'memory')))['used_memory']);
  await set(replica, 'maxmemory', Math.ceil(used * 1.02));
  expect(await operation.tell('approve', { by: 'ana', approval: 'handover' })).toHaveProperty('done');
  const held = await operation.waits('gate', 'memory');
  expect(held.status.waiting.find(({ name }) => name === 'memory')?.reason).toContain(replica.address);
  expect(held.timeline.filter(({ kind }) => kind === 'handover')).toEqual([]);
  await set(replica, 'maxmemory', 0);

  expectCompleted(await operation.result());
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
  expect(await operation.histories()).not.toContain(password);
}, 600_000);
