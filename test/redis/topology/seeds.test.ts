import { afterAll, beforeAll, expect, test } from 'vitest';
import { allNodes } from '../../../model/topology.js';
import { readAccounts } from '../../../redis/topology.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';

// A seed that no member knows is in nobody's view: none of the members would say that it is gone.
let cluster: Sandbox;
let alone: Sandbox;
let plain: Sandbox;

beforeAll(async () => {
  // From 7.2 on a node that forgets tells the others, and they forget too.
  cluster = await Sandbox.cluster({ release: '6.2', primaries: 1, replicasEach: 2 });
  alone = await Sandbox.servers(1, { release: '6.2', configuration: ['cluster-enabled yes'] });
  plain = await Sandbox.servers(1, { release: '6.2' });
});
afterAll(() => Promise.all([cluster, alone, plain].map((it) => it.stop())));

const addressOf = (sandbox: Sandbox, i = 0): string => {
  const node = sandbox.nodes[i];
  if (!node) throw new Error(`the sandbox has no node ${i}`);
  return node.address;
};
const byName = (address: string): string => address.replace('127.0.0.1', 'localhost');
const read = (...seeds: string[]) => readAccounts(cluster.endpoint(), seeds);
const disagreements = async (...seeds: string[]): Promise<string[]> => (await read(...seeds)).topology.disagreements;

async function forget(address: string, by: readonly string[]): Promise<void> {
  const id = String(await cluster.ask(address, 'CLUSTER', 'MYID'));
  for (const other of by) await cluster.ask(other, 'CLUSTER', 'FORGET', id);
}

async function meet(address: string): Promise<void> {
  const others = cluster.nodes.map((node) => node.address).filter((it) => it !== address);
  for (const other of others) await cluster.ask(other, 'CLUSTER', 'MEET', '127.0.0.1', Number(address.split(':')[1]));
  await until('all know each other again', async () => (await disagreements(...others, address)).length === 0);
}

test('a seed that knows nobody is named, and the cluster is read from one that serves', async () => {
  const [first, lone] = [addressOf(cluster), addressOf(alone)];
  const { topology, memberAddresses } = await read(lone, first);
  expect(topology.disagreements).toEqual([
    `${lone}, one of seeds, doesn't belong to the cluster of ${first}: let it join (CLUSTER MEET), or take it out of seeds`,
  ]);
  expect(allNodes(topology)).toHaveLength(3);
  expect(memberAddresses).toHaveLength(3);
  expect(await disagreements(first, lone)).toEqual(topology.disagreements);
});

test('a seed of another cluster is not to be let in', async () => {
  const [first, other] = [addressOf(cluster), addressOf(alone)];
  await alone.ask(other, 'CLUSTER', 'ADDSLOTS', 1);
  expect(await disagreements(first, other)).toEqual([
    `${other}, one of seeds, belongs to another cluster than ${first}: take one out of seeds`,
  ]);
});

test('a seed that is no cluster node says so', async () => {
  expect(await disagreements(addressOf(cluster), addressOf(plain))).toEqual([
    expect.stringMatching(`^${addressOf(plain)} is no cluster node .*: it is one of seeds`),
  ]);
});

test('a replica that all others have forgotten is named by its seed, however that is written', async () => {
  const [first, second, gone] = [addressOf(cluster, 0), addressOf(cluster, 1), addressOf(cluster, 2)];
  await forget(gone, [first, second]);
  for (const seed of [gone, byName(gone)]) {
    const { topology, memberAddresses } = await read(first, second, seed);
    expect(topology.disagreements).toEqual([
      `${seed}, one of seeds, is forgotten by every other node: let it join again (CLUSTER MEET), or take it out of seeds`,
    ]);
    expect(memberAddresses.sort()).toEqual([first, second].sort());
  }
  // From its own view it is a member, whom the others don't know.
  expect(await disagreements(gone, first)).toEqual(
    [first, second].map((other) => `${other} doesn't know ${gone}`).sort(),
  );
  await meet(gone);
});

test('a replica that only the node has forgotten from which the cluster is read', async () => {
  const [first, second, gone] = [addressOf(cluster, 0), addressOf(cluster, 1), addressOf(cluster, 2)];
  await forget(gone, [first]);
  const { topology, memberAddresses } = await read(first, second);
  expect(topology.disagreements).toEqual([`${first} doesn't know ${gone}`]);
  expect(memberAddresses).toContain(gone);
  await meet(gone);
});

test('a seed by another name, and one that is away, are no news', async () => {
  const [first, second] = [addressOf(cluster, 0), addressOf(cluster, 1)];
  const [away] = plain.nodes;
  if (away) await plain.kill(away);
  expect(await disagreements(first, byName(second), addressOf(plain))).toEqual([]);
  expect(await disagreements(addressOf(plain), byName(first), second)).toEqual([]);
});
