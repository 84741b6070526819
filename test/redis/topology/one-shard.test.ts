import { expect, test } from 'vitest';
import { allNodes } from '../../../model/topology.js';
import { parseClusterNodes, type KnownLines } from '../../../redis/cluster-nodes.js';
import { readAccounts } from '../../../redis/topology.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';

const id = (letter: string): string => letter.repeat(40);

test('lines that two nodes have alike are kept once, whenever each of them pinged; a line that differs is not', () => {
  const text = (pinged: number, flags = 'slave'): string =>
    `${id('a')} 10.0.0.1:7001@17001 master - 0 ${pinged} 1 connected 0-16383\n` +
    `${id('b')} 10.0.0.2:7002@17002 ${flags} ${id('a')} ${pinged} 0 1 connected\n`;
  const known: KnownLines = new Map();
  const first = parseClusterNodes(text(1), '10.0.0.1', known);
  const second = parseClusterNodes(text(2, 'slave,fail'), '10.0.0.2', known);
  expect(second[0]).toBe(first[0]);
  expect(second[1]).toMatchObject({ id: id('b'), health: 'fail' });
  expect(first[1]).toMatchObject({ id: id('b'), health: 'ok' });
});

test('a node without an address of its own has that of the node that was asked', () => {
  const known: KnownLines = new Map();
  const line = `${id('a')} :7001@17001 myself,master - 0 0 1 connected 0-16383`;
  expect(parseClusterNodes(line, '10.0.0.1', known)).toMatchObject([{ address: '10.0.0.1:7001' }]);
  expect(parseClusterNodes(line, '10.0.0.2', known)).toMatchObject([{ address: '10.0.0.2:7001' }]);
});

test('of one shard its nodes alone are read, whatever seed is asked, and they tell of a node that is away elsewhere', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0' });
  const seeds = cluster.nodes.map(({ address }) => address);
  const whole = await readAccounts(cluster.endpoint(), seeds);
  expect(whole.topology.disagreements).toEqual([]);
  const [first, second] = whole.topology.shards;
  if (!first || !second) throw new Error('expected three shards');
  const ids = allNodes({ shards: [second] }).map((node) => node.id);

  const one = await readAccounts(cluster.endpoint(), [first.primary.address], ids);
  expect(one.topology).toMatchObject({
    disagreements: [],
    shards: [{ name: 'shard-2', slots: second.slots, primary: { id: second.primary.id } }],
  });
  expect(new Set(one.accounts.map(({ node }) => node.id))).toEqual(new Set(ids));
  expect([...one.memberAddresses].sort()).toEqual(
    allNodes({ shards: [second] })
      .map((node) => node.address)
      .sort(),
  );

  const away = cluster.nodes.find(({ address }) => address === first.replicas[0]?.address);
  if (!away) throw new Error('expected a replica');
  await cluster.kill(away);
  await expect
    .poll(async () => (await readAccounts(cluster.endpoint(), [second.primary.address], ids)).topology.disagreements, {
      timeout: 30_000,
    })
    .toContainEqual(expect.stringMatching(new RegExp(`sees ${away.address} as p?fail`)));
}, 240_000);
