import { expect, test } from 'vitest';
import { connect } from '../../redis/connection.js';
import { parseInfo } from '../../redis/info.js';
import { backgroundSave } from '../../redis/node.js';
import { Sandbox, until } from '../../scripts/sandbox/cluster.js';
import { diskFull } from '../../scripts/sandbox/node-faults.js';
import { Toxiproxy } from '../../scripts/sandbox/toxiproxy.js';

const release = '7.0.15';

test('a connection that is cut says which node it led to, and what was asked there', async () => {
  await using servers = await Sandbox.servers(1, { release });
  await using toxiproxy = await Toxiproxy.start();
  const way = await toxiproxy.proxy('node', servers.nodes[0]?.address ?? '');
  const endpoint = { ...servers.endpoint(), port: Number(way.address.split(':')[1]) };
  const lost = (command: string): object => ({
    name: 'RolloutError',
    type: 'Unreachable',
    message: expect.stringMatching(`^${way.address} was lost before it answered ${command}: `) as string,
  });

  await using asked = await connect(endpoint);
  await using batched = await connect(endpoint);
  // What the server has got and does not answer: nothing else decides what the cut meets.
  const held = [asked.call('BLPOP', 'k', 0), batched.pipeline([['PING'], ['BLPOP', 'k', 0]])];
  const failures = Promise.allSettled(held);
  await until('the server holds both', async () => {
    const clients = parseInfo(String(await servers.ask(servers.nodes[0]?.address, 'INFO', 'clients')));
    return clients['blocked_clients'] === '2';
  });
  await way.cut();
  expect(await failures).toMatchObject([{ reason: lost('BLPOP') }, { reason: lost('BLPOP') }]);
  await expect(asked.call('ROLE')).rejects.toMatchObject(lost('ROLE'));
});

test('a primary whose disk is full refuses PING: it is connected all the same', async () => {
  await using servers = await Sandbox.servers(1, {
    release,
    diskBytes: 8 * 1024 * 1024,
    configuration: ['save 3600 1', 'rdbcompression no'],
  });
  const [node] = servers.nodes;
  if (!node) throw new Error('the sandbox has one node');
  await using before = await servers.connect();
  await before.call('SET', 'k', 'x'.repeat(256 * 1024));
  await diskFull(servers, node);
  await expect(backgroundSave(before)).rejects.toMatchObject({ type: 'BackupFailed' });
  await expect(before.call('PING')).rejects.toThrow(/^MISCONF/);

  await using connection = await servers.connect();
  expect(String(await connection.call('INFO', 'persistence'))).toContain('rdb_last_bgsave_status:err');
});
