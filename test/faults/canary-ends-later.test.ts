import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ShardView } from '../../model/topology.js';
import { readTopology } from '../../redis/topology.js';
import { Sandbox, until, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectCompleted } from '../e2e/stage/evidence.js';

// What befalls nodes of other shards than the one in hand: one is reset, and the canary, whose soak is long over, ends.
let stage: Stage;
let cluster: Sandbox;
let dataset: Dataset;

beforeAll(async () => {
  stage = await Stage.open();
  cluster = await Sandbox.cluster({ release: '7.0' });
  dataset = await Dataset.write(cluster, 200);
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
});

const addresses = (): string[] => cluster.nodes.map(({ address }) => address);
const topology = () => readTopology(cluster.endpoint(), addresses());

function nodeAt(address: string | undefined): SandboxNode {
  const found = cluster.nodes.find((node) => node.address === address);
  if (!found) throw new Error(`the sandbox has no ${address}`);
  return found;
}

/** Each shard by the order in which its handover is asked for. */
async function nextQuestion(operation: Operation, asked: string[]): Promise<string> {
  const { status } = await operation.until('another handover is asked for', ({ waiting }) =>
    waiting.some(({ kind, shard }) => kind === 'approval' && shard !== undefined && !asked.includes(shard)),
  );
  const shard = status.waiting.find((it) => it.kind === 'approval' && !asked.includes(it.shard ?? ''))?.shard ?? '';
  asked.push(shard);
  return shard;
}

/** A yes to the handover; then the gate before it names what befell another shard, and nothing is handed over. */
async function heldBy(operation: Operation, shard: string, reason: RegExp): Promise<void> {
  expect(await operation.tell('approve', { by: 'ana', approval: `handover:${shard}` })).toHaveProperty('done');
  const { status, timeline } = await operation.until(`the topology gate holds ${shard}`, ({ waiting }) =>
    waiting.some((it) => it.name === 'topology' && reason.test(it.reason)),
  );
  expect(status.waiting.find(({ name }) => name === 'topology')?.reason).toContain(`before the handover of ${shard}`);
  expect(timeline.filter((it) => it.shard === shard && it.text.startsWith('hand over to '))).toEqual([]);
}

const named = (pattern: string): RegExp => new RegExp(pattern.replaceAll('.', String.raw`\.`));

test('the upgrade holds and says what it sees, and goes on once that is mended', async () => {
  await stage.deploy('orders', cluster, {
    policy: {
      canarySoak: '0s',
      soak: '0s',
      roles: { operations: ['ana'] },
      approvals: { handover: { roles: ['operations'], quorum: 1, per: 'shard' } },
    },
  });
  const { shards } = await topology();
  const operation = await stage.start('orders', '8.0');
  const asked: string[] = [];
  const first = await nextQuestion(operation, asked);
  const [second, third] = shards.filter(({ name }) => name !== first) as [ShardView, ShardView];

  await operation.tell('approve', { by: 'ana', approval: `handover:${first}` });

  const inHand = await nextQuestion(operation, asked);
  const left = inHand === second.name ? third : second;
  const reset = left.replicas[0]?.address ?? '';
  await cluster.ask(reset, 'CLUSTER', 'RESET', 'SOFT');
  await heldBy(operation, inHand, named(`${reset} (is a primary without slots|doesn't know )`));
  await cluster.ask(reset, 'CLUSTER', 'MEET', '127.0.0.1', nodeAt(left.primary.address).port);
  await until(`${reset} may replicate`, async () => {
    await cluster.ask(reset, 'CLUSTER', 'REPLICATE', left.primary.id);
    return true;
  });

  await nextQuestion(operation, asked);
  const canaries = (await topology()).shards.find(({ name }) => name === first);
  const canary = canaries?.primary.address ?? '';
  expect(canaries?.primary.release).toBe('8.0.6');
  // From 7.0 on a server that is told to end lets its replicas catch up first: nothing acknowledged goes with it.
  await cluster.signal(nodeAt(canary), 'SIGTERM');
  const successor = canaries?.replicas[0]?.address;
  await until(
    `${canary} has ended, and ${successor} serves`,
    async () => ((await cluster.ask(successor, 'ROLE')) as [string])[0] === 'master',
    90_000,
  );
  await heldBy(operation, left.name, named(canary));
  await cluster.start(nodeAt(canary));

  const outcome = await operation.result();
  expectCompleted(outcome);
  expect(outcome.statement).toContain('on all 6 nodes');
  await until('every node sees the same healthy cluster', async () => {
    const { disagreements } = await topology();
    return disagreements.length === 0;
  });
  const end = (await topology()).shards;
  expect(end.flatMap(({ primary, replicas }) => [primary, ...replicas]).map(({ release }) => release)).toEqual(
    Array.from({ length: 6 }, () => '8.0.6'),
  );
  expect(end.map(({ replicas }) => replicas.length)).toEqual([1, 1, 1]);
  await dataset.expectSame(10_000);
}, 1_200_000);
