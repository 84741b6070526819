import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { handOver, type HandoverInput } from '../../../redis/handover.js';
import { parseInfo } from '../../../redis/info.js';
import { readTopology } from '../../../redis/topology.js';
import { Sandbox, until, type SandboxNode } from '../../../scripts/sandbox/cluster.js';
import { chain } from './chain.js';

// The command is not what promotes: it may come true after we gave up, or be undone before anybody has looked.
let cluster: Sandbox;
let input: HandoverInput;

beforeAll(async () => {
  cluster = await Sandbox.cluster({ release: '7.0', configuration: ['cluster-node-timeout 2000'] });
  input = {
    endpoint: cluster.endpoint(),
    from: node(0).address,
    to: node(3).address,
    siblings: [],
    nodes: cluster.nodes.map(({ address }) => address),
    mode: 'safe',
    confirmWithinMs: 20_000,
  };
});
afterAll(() => cluster.stop());

function node(i: number): SandboxNode {
  const found = cluster.nodes[i];
  if (!found) throw new Error(`the sandbox has no node ${i}`);
  return found;
}

async function ask(of: SandboxNode, ...command: [string, ...string[]]): Promise<unknown> {
  await using connection = await cluster.connect(of);
  return await connection.call(...command);
}

const epochOf = async (of: SandboxNode): Promise<number> =>
  Number(parseInfo(String(await ask(of, 'CLUSTER', 'INFO')))['cluster_current_epoch']);

async function promote(next: SandboxNode, old: SandboxNode): Promise<void> {
  await ask(next, 'CLUSTER', 'FAILOVER', 'TAKEOVER');
  await until(`${next.address} is primary, and ${old.address} follows it`, async () => {
    const [[role], [oldRole]] = (await Promise.all([ask(next, 'ROLE'), ask(old, 'ROLE')])) as [[string], [string]];
    return role === 'master' && oldRole === 'slave';
  });
}

const agreed = (): Promise<void> =>
  until('all agree, and every link is up', async () => {
    const { shards, disagreements } = await readTopology(cluster.endpoint(), input.nodes);
    const links = shards.flatMap(({ replicas }) => replicas.map(({ replication }) => replication?.link));
    return disagreements.length === 0 && links.every((link) => link === 'up');
  });

test('promoted after our time limit: the next look finds it done, and nothing is done twice', async () => {
  const others = [node(1), node(2)];
  for (const other of others) await cluster.signal(other, 'SIGSTOP');
  const handover = handOver(input);
  await until('the first try has timed out', async () =>
    (await readFile(join(node(3).home, 'redis.log'), 'utf8')).includes('Manual failover timed out'),
  );
  for (const other of others) await cluster.signal(other, 'SIGCONT');
  await until('the others are back', async () =>
    (await Promise.all(others.map((other) => ask(other, 'CLUSTER', 'INFO')))).every((it) =>
      String(it).includes('cluster_state:ok'),
    ),
  );
  await promote(node(3), node(0));
  const epoch = await epochOf(node(3));

  expect(await handover).toMatchObject({ mode: 'safe' });
  await agreed();
  expect(await epochOf(node(3))).toBe(epoch);
  await promote(node(0), node(3));
  await agreed();
}, 600_000);

test('somebody fails the shard back at once: said, and not done again', async () => {
  const seen: string[] = [];
  const failure: unknown = await handOver({
    ...input,
    mode: 'fast',
    onTakenOver: async () => {
      seen.push('taken over');
      await until('the old primary knows', async () => ((await ask(node(0), 'ROLE')) as [string])[0] === 'slave');
      await promote(node(0), node(3));
    },
  }).catch((error: unknown) => error);

  expect(seen).toEqual(['taken over']);
  expect(failure).toMatchObject({ type: 'Stopped' });
  expect(String(failure)).toContain(`${input.to} took over from ${input.from} and replicates ${input.from} again`);
  await agreed();
  expect(((await ask(node(0), 'ROLE')) as [string])[0]).toBe('master');
}, 600_000);

test('failed back between two attempts: the second knows that the first had seen it done', async () => {
  const epoch = await epochOf(node(0));
  const failure: unknown = await handOver({ ...input, tookOver: true }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ type: 'Stopped' });
  expect(await epochOf(node(0))).toBe(epoch);
});

test('a sibling that comes back chained to the old primary is pointed at the new one', async () => {
  // Up to 6.2 nothing but a command frees it: what it knows of the others is true, only its own line is old.
  await using three = await Sandbox.cluster({ release: '6.2', primaries: 1, replicasEach: 2 });
  const [old, next, sibling] = three.nodes;
  if (!old || !next || !sibling) throw new Error('the sandbox has three nodes');
  await three.kill(sibling);
  const log = (): Promise<string> => readFile(join(sibling.home, 'redis.log'), 'utf8');
  const logged = (await log()).length;
  const handover = handOver({
    ...{ endpoint: three.endpoint(), from: old.address, to: next.address, siblings: [sibling.address] },
    ...{ nodes: three.nodes.map(({ address }) => address), mode: 'safe', confirmWithinMs: 20_000 },
    onTakenOver: async () => {
      await chain(sibling, old, next);
      await three.start(sibling);
    },
  });
  await handover;
  const { shards } = await readTopology(three.endpoint(), [next.address]);
  expect(shards[0]?.replicas.map(({ replication }) => replication?.primary)).toEqual([next.address, next.address]);
  expect((await log()).slice(logged)).toContain(`Connecting to MASTER ${old.address}`);
}, 600_000);
