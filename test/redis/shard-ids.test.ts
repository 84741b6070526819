import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { releaseLines } from '../../model/compatibility/release-lines.js';
import { agreeOnShardIds } from '../../redis/shard-ids.js';
import { Sandbox } from '../../scripts/sandbox/cluster.js';

// A node that runs well and can't be started again: what it wrote into its own nodes.conf it refuses to read.
const id = (letter: string): string => letter.repeat(40);
const [p1, r1, p2, r2, s1, s2] = ['b', 'a', 'd', 'c', '1', '2'].map(id) as [
  string,
  string,
  string,
  string,
  string,
  string,
];

const vars = 'vars currentEpoch 6 lastVoteEpoch 0';
/** Two shards as a node of 7.2 writes them down, with these shard ids for primary and replica of each. */
const written = (...shardIds: [string, string, string, string]): string => {
  const [ofP1, ofR1, ofP2, ofR2] = shardIds.map((it) => `tls-port=0,shard-id=${it}`);
  return [
    `${r1} 127.0.0.1:7002@17002,,${ofR1} myself,slave ${p1} 0 1700000000000 1 connected`,
    `${p1} 127.0.0.1:7001@17001,,${ofP1} master - 0 1700000000000 1 connected 0-8191`,
    `${r2} 127.0.0.1:7004@17004,a-host,${ofR2} slave ${p2} 0 1700000000000 2 connected`,
    `${p2} 127.0.0.1:7003@17003,a-host,${ofP2} master - 0 1700000000000 2 connected 8192-16383`,
    vars,
    '',
  ].join('\n');
};

test('a replica is given its primary’s, and what agrees is left as it is', () => {
  expect(agreeOnShardIds(written(s1, s1, s2, s2))).toBe(written(s1, s1, s2, s2));
  expect(agreeOnShardIds(written(s1, s1, s2, id('3')))).toBe(written(s1, s1, s2, s2));
});

test('where there is none, every node makes up the same, whoever is primary now', () => {
  const before70 = (primary: string, replica: string): string =>
    [
      `${primary} 127.0.0.1:7001@17001 master - 0 1700000000000 1 connected 0-8191 [5-<-${p2}]`,
      `${replica} 127.0.0.1:7002@17002,a-host myself,slave ${primary} 0 1700000000000 1 connected`,
      `${p2} :0@0 master,noaddr - 1700000000000 0 2 disconnected`,
      vars,
    ].join('\n');
  expect(agreeOnShardIds(before70(p1, r1))).toBe(
    [
      `${p1} 127.0.0.1:7001@17001,,shard-id=${r1} master - 0 1700000000000 1 connected 0-8191 [5-<-${p2}]`,
      `${r1} 127.0.0.1:7002@17002,a-host,shard-id=${r1} myself,slave ${p1} 0 1700000000000 1 connected`,
      `${p2} :0@0,,shard-id=${p2} master,noaddr - 1700000000000 0 2 disconnected`,
      vars,
    ].join('\n'),
  );
  const chosen = (text: string): string[] => [...text.matchAll(/shard-id=(\w+)/g)].map(([, it = '']) => it);
  expect(chosen(agreeOnShardIds(before70(r1, p1)))).toEqual([r1, r1, p2]);
});

test('a replica that is still seen behind the old primary belongs to the new one’s shard', () => {
  const chained = [
    `${p1} 127.0.0.1:7001@17001 master - 0 1700000000000 2 connected 0-8191`,
    `${r1} 127.0.0.1:7002@17002 myself,slave ${p1} 0 1700000000000 1 connected`,
    `${p2} 127.0.0.1:7003@17003 slave ${r1} 0 1700000000000 1 connected`,
    vars,
  ].join('\n');
  expect([...agreeOnShardIds(chained).matchAll(/shard-id=(\w+)/g)].map(([, it]) => it)).toEqual([r1, r1, r1]);
  // Two that follow each other, as a torn view may have it.
  const circle = [
    `${p1} 127.0.0.1:7001@17001 slave ${r1} 0 1700000000000 2 connected`,
    `${r1} 127.0.0.1:7002@17002 myself,slave ${p1} 0 1700000000000 1 connected`,
    vars,
  ].join('\n');
  expect(agreeOnShardIds(circle)).toContain('shard-id=');
});

test.each(['7.2', '7.4', '8.0', 'valkey-9.1'])(
  '%s reads two ids for one shard only where we say so',
  async (release) => {
    await using sandbox = await Sandbox.servers(1, { release, configuration: ['cluster-enabled yes'] });
    const [node] = sandbox.nodes;
    if (!node) throw new Error('a node expected');
    const file = join(node.home, 'nodes.conf');
    const two = written(s1, id('3'), s2, id('4')).replace(
      '127.0.0.1:7002@17002',
      `${node.address}@${node.port + 10_000}`,
    );
    await sandbox.kill(node);
    await writeFile(file, two);
    const refuses = releaseLines.find(({ line }) => line === release)?.refusesTwoShardIds === true;
    if (refuses) await expect(sandbox.start(node)).rejects.toThrow(/corrupted cluster config file/);
    else await sandbox.start(node);

    await sandbox.kill(node);
    await writeFile(file, agreeOnShardIds(two));
    await sandbox.start(node);
    await using connection = await sandbox.connect(node);
    expect(await connection.call('CLUSTER', 'MYSHARDID')).toBe(s1);
    expect(await readFile(file, 'utf8')).toContain(`shard-id=${s2}`);
  },
);
