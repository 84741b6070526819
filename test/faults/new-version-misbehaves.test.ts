import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import { claimPort } from '../../scripts/sandbox/ports.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { inPlaceOfServer } from '../e2e/stage/in-place-of-server.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectCompleted, expectNothingLost } from '../e2e/stage/evidence.js';
import { expectWhole, readNodes, type NodeState } from '../e2e/stage/nodes.js';

// The new version starts and is not what was asked for: other settings, slow answers, a death minutes later.
let stage: Stage;
let cluster: Sandbox;
let before: NodeState[];
let dataset: Dataset;
let canary: SandboxNode;

beforeAll(async () => {
  stage = await Stage.open();
  cluster = await Sandbox.cluster({ release: '7.0', primaries: 1 });
  dataset = await Dataset.write(cluster, 200);
  before = await readNodes(cluster);
  const [, replica] = cluster.nodes;
  if (!replica) throw new Error('the sandbox has two nodes');
  canary = replica;
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

test.each([
  { setting: '--maxmemory-policy allkeys-lru', says: 'maxmemory-policy noeviction → allkeys-lru' },
  // Its append-only file is empty: a full resync, and then a setting that nobody asked for.
  { setting: '--appendonly yes', says: 'appendonly no → yes' },
])(
  'a server that starts with $setting of its own is not released, and taken back',
  async ({ setting, says }) => {
    const name = `redis-server${setting.replaceAll(/\W/g, '-')}`;
    const program = await inPlaceOfServer(stage, name, (server) => [`exec "${server}" "$@" ${setting}`]);
    await stage.deploy('orders', cluster, { platform: { kind: 'process', servers: { '8.0.6': program } } });

    const operation = await stage.start('orders', '8.0');
    const { type, message } = await operation.failure();

    expect(type).toBe('Different');
    expect(message).toContain(`${canary.address} failed on the new version and is back on 7.0.15`);
    expect(message).toContain(`${canary.address} runs 8.0.6 with another configuration than it had: ${says}`);
    expect(message).toContain('0 of 2 nodes run 8.0.6');
    await expectNothingLost(operation);
    await expectWhole(cluster, { release: '7.0.15', before });
    expect((await readNodes(cluster)).map(({ role }) => role)).toEqual(before.map(({ role }) => role));
  },
  600_000,
);

test.each([
  // The others learn its new address by gossip, and its old one again when it is back.
  {
    setting: '--port $ANOTHER_PORT',
    says: /8\.0\.6 listens, but not on port \d+, after 10 s and was killed/,
  },
  // An empty primary that nobody knows, on the port of the node.
  {
    setting: '--dir "$(mktemp -d "$PWD"/../elsewhere-XXXXXX)"',
    says: /8\.0\.6 started with dir \S+elsewhere\S+, expected \S+: it had neither the node's dataset nor its place/,
  },
])(
  'a server that starts with $setting is no node of the cluster, and the node is taken back',
  async ({ setting, says }) => {
    const another = await claimPort();
    const program = await inPlaceOfServer(stage, 'redis-server-elsewhere', (server) => [
      `ANOTHER_PORT=${another.port}`,
      `exec "${server}" "$@" ${setting}`,
    ]);
    await stage.deploy('orders', cluster, {
      platform: { kind: 'process', servers: { '8.0.6': program }, startTimeout: '10s' },
    });

    const operation = await stage.start('orders', '8.0');
    const { type, message } = await operation.failure();
    another.release();

    expect(type).toBe('StartFailed');
    expect(message).toContain(`${canary.address} failed on the new version and is back on 7.0.15`);
    expect(message).toMatch(says);
    expect(message).toContain('0 of 2 nodes run 8.0.6');
    await expectNothingLost(operation);
    await expectWhole(cluster, { release: '7.0.15', before });
    expect((await readNodes(cluster)).map(({ role }) => role)).toEqual(before.map(({ role }) => role));
  },
  600_000,
);

test('a canary that nobody reads from and that stutters, then dies, holds the soak until it is well', async () => {
  await stage.deploy('orders', cluster, { policy: { canarySoak: '2s', gates: { maxLatency: '500ms' } } });
  const operation = await stage.start('orders', '8.0');
  await operation.waits('soak', 'canary');
  const stutter = stuttering(canary);
  const slow = await operation.until('the latency gate names the canary', ({ waiting }) =>
    waiting.some((it) => it.name === 'latency' && it.reason.includes(canary.address)),
  );
  expect(slow.status.waiting.find(({ name }) => name === 'latency')).toMatchObject({
    reason: expect.stringMatching(
      /during canary: replica \S+ \(8\.0\.6\) takes .* to answer PING, the others at most/,
    ) as string,
    clears: expect.stringContaining('every node answers within 500 ms (policy.gates.maxLatency)') as string,
    command: expect.stringContaining('rollout override orders --gate latency') as string,
  });

  // It stands still when it is killed: there was no moment in which it was well.
  await stutter.end();
  await cluster.kill(canary);
  const dead = await operation.until('the topology gate names the canary', ({ waiting }) =>
    waiting.some((it) => it.name === 'topology' && it.reason.includes(canary.address)),
  );
  expect(dead.timeline.filter(({ text }) => text.startsWith('hand over to '))).toEqual([]);

  await cluster.start(canary);
  const outcome = await operation.result();
  expectCompleted(outcome);
  await expectWhole(cluster, { release: '8.0.6', before });
  await dataset.expectSame(10_000);
}, 600_000);

/** Stands still for most of the time, but never as long as a node timeout; ends standing still. */
function stuttering(node: SandboxNode): { end: () => Promise<void> } {
  const ending = new AbortController();
  const done = (async () => {
    for (;;) {
      await cluster.signal(node, 'SIGSTOP');
      await sleep(1500);
      if (ending.signal.aborted) return;
      await cluster.signal(node, 'SIGCONT');
      await sleep(200);
    }
  })();
  return {
    end: () => {
      ending.abort();
      return done;
    },
  };
}
