import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTopology } from '../../redis/topology.js';
import { Sandbox, until, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectCompleted } from '../e2e/stage/evidence.js';

// Somebody else works on the cluster while it is upgraded: moves slots, fails shards over, adds a node and takes one out.
let stage: Stage;
let cluster: Sandbox;
let spare: Sandbox;
let dataset: Dataset;

beforeAll(async () => {
  stage = await Stage.open();
  cluster = await Sandbox.cluster({ release: '7.0' });
  spare = await Sandbox.servers(1, {
    release: '7.0',
    configuration: ['cluster-enabled yes', 'cluster-node-timeout 5000'],
  });
  dataset = await Dataset.write(cluster, 200);
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await cluster.stop();
  await spare.stop();
});

const addresses = (): string[] => cluster.nodes.map((node) => node.address);
const topology = async () => (await readTopology(cluster.endpoint(), addresses())).shards;

function nodeAt(address: string | undefined): SandboxNode {
  const found = [...cluster.nodes, ...spare.nodes].find((node) => node.address === address);
  if (!found) throw new Error(`the sandbox has no ${address}`);
  return found;
}

/** Its CLUSTER NODES, without whom it has not shaken hands with. */
async function membersSeenBy(address: string | undefined): Promise<string> {
  const lines = String(await cluster.ask(address, 'CLUSTER', 'NODES')).split('\n');
  return lines.filter((line) => !line.includes('handshake')).join('\n');
}

const idOf = (address: string | undefined): Promise<unknown> => cluster.ask(address, 'CLUSTER', 'MYID');

/** Which nodes a shard has, whatever its slots are: by its primary of the beginning. */
async function shardWith(address: string | undefined) {
  const shard = (await topology()).find((it) => [it.primary, ...it.replicas].some((node) => node.address === address));
  if (!shard) throw new Error(`${address} is in no shard`);
  return shard;
}

async function failOver(next: string | undefined): Promise<void> {
  await cluster.ask(next, 'CLUSTER', 'FAILOVER');
  await until(`${next} is primary, and every node knows it`, async () => {
    const { shards, disagreements } = await readTopology(cluster.endpoint(), addresses());
    return disagreements.length === 0 && shards.some(({ primary }) => primary.address === next);
  });
}

const approve = async (operation: Operation, shard: string): Promise<void> => {
  expect(await operation.tell('approve', { by: 'ana', approval: `handover:${shard}` })).toMatchObject({
    done: expect.stringContaining('approved') as string,
  });
};

/** Which shard's handover is asked for now; each only once. */
async function nextQuestion(operation: Operation, asked: string[]): Promise<string> {
  const { status } = await operation.until('another handover is asked for', ({ waiting }) =>
    waiting.some(({ kind, shard }) => kind === 'approval' && shard !== undefined && !asked.includes(shard)),
  );
  const shard = status.waiting.find((it) => it.kind === 'approval' && !asked.includes(it.shard ?? ''))?.shard ?? '';
  asked.push(shard);
  return shard;
}

test('it waits, adapts, and nothing is promoted or stopped wrongly', async () => {
  await stage.deploy('orders', cluster, {
    policy: {
      canarySoak: '0s',
      roles: { operations: ['ana'] },
      approvals: { handover: { roles: ['operations'], quorum: 1, per: 'shard' } },
    },
  });
  const beginning = await topology();
  const primaryOf = (shard: string): string | undefined =>
    beginning.find(({ name }) => name === shard)?.primary.address;
  const operation = await stage.start('orders', '8.0');
  const asked: string[] = [];

  // Slot 0 moves to the last shard, which so becomes the first by slots; and another shard is failed over.
  const first = await nextQuestion(operation, asked);
  const [source, , target] = beginning.map(({ primary }) => primary.address);
  await cluster.ask(target, 'CLUSTER', 'SETSLOT', 0, 'IMPORTING', String(await idOf(source)));
  await cluster.ask(source, 'CLUSTER', 'SETSLOT', 0, 'MIGRATING', String(await idOf(target)));
  await approve(operation, first);
  const held = await operation.until('the topology gate names the open slot', ({ waiting }) =>
    waiting.some(({ name, reason }) => name === 'topology' && reason.includes('has open slots')),
  );
  expect(held.timeline.filter(({ text }) => text.startsWith('hand over to '))).toEqual([]);
  await moveKeys(source, target);
  for (const { primary } of beginning)
    await cluster.ask(primary.address, 'CLUSTER', 'SETSLOT', 0, 'NODE', String(await idOf(target)));
  await until('the shards are numbered anew', async () => {
    const [now] = await topology();
    return now?.primary.address === target;
  });

  // The shard in hand is failed over to its upgraded replica while its handover is asked for.
  const second = await nextQuestion(operation, asked);
  const inHand = await shardWith(primaryOf(second));
  expect(inHand.primary.address).toBe(primaryOf(second));
  expect(inHand.replicas.map(({ release }) => release)).toEqual(['8.0.6']);
  await failOver(inHand.replicas[0]?.address);
  await approve(operation, second);

  // A node of the old release joins the last shard just before its handover: first alone, then as a replica.
  const third = await nextQuestion(operation, asked);
  const [added] = spare.nodes;
  await cluster.ask(added?.address, 'CLUSTER', 'MEET', '127.0.0.1', nodeAt(source).port);
  // Until they have shaken hands it is nobody's member, and holds nothing up.
  await until('it is a member', async () => (await membersSeenBy(source)).includes(`${added?.address}@`));
  await approve(operation, third);
  await operation.until('the topology gate names the node without slots', ({ waiting }) =>
    waiting.some(
      ({ name, reason }) => name === 'topology' && reason.includes(`${added?.address} is a primary without slots`),
    ),
  );
  const primary = (await shardWith(primaryOf(third))).primary;
  await until('the new node may replicate', async () => {
    await cluster.ask(added?.address, 'CLUSTER', 'REPLICATE', primary.id);
    return true;
  });

  const outcome = await operation.result();
  expectCompleted(outcome);
  expect(outcome.nodes).toBe(7);
  expect(outcome.statement).toContain('on all 7 nodes');
  const shards = await topology();
  expect(shards.flatMap((shard) => [shard.primary, ...shard.replicas]).map(({ release }) => release)).toEqual(
    Array.from({ length: 7 }, () => '8.0.6'),
  );
  expect([...asked].sort()).toEqual(['shard-1', 'shard-2', 'shard-3']);
  // Each shard's own nodes serve it, none was mistaken for another's.
  for (const { primary, replicas } of beginning) {
    const now = await shardWith(primary.address);
    const members = [now.primary, ...now.replicas].map(({ address }) => address);
    expect(members).toEqual(expect.arrayContaining([primary, ...replicas].map(({ address }) => address)));
  }
  await dataset.expectSame(10_000);
}, 600_000);

async function moveKeys(source: string | undefined, target: string | undefined): Promise<void> {
  await until('slot 0 is empty', async () => {
    const keys = (await cluster.ask(source, 'CLUSTER', 'GETKEYSINSLOT', 0, 100)) as string[];
    if (keys.length > 0)
      await cluster.ask(source, 'MIGRATE', '127.0.0.1', nodeAt(target).port, '', 0, 5000, 'KEYS', ...keys);
    return keys.length === 0;
  });
}
