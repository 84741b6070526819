import { expect, test } from 'vitest';
import { readAccount } from '../../../redis/account.js';
import { connect } from '../../../redis/connection.js';
import { parseInfo } from '../../../redis/info.js';
import { readTopology } from '../../../redis/topology.js';
import { Sandbox, until } from '../../../scripts/sandbox/cluster.js';

test('a node that loads its dataset: it can be asked, and the topology says what it does', async () => {
  await using cluster = await Sandbox.cluster({
    release: '8.0',
    primaries: 2,
    replicasEach: 0,
    configuration: ['enable-debug-command local', 'loading-process-events-interval-bytes 1024'],
  });
  const [loading, other] = cluster.nodes;
  if (!loading || !other) throw new Error('the sandbox has two nodes');
  await using control = await cluster.connect(loading, { timeoutMs: 60_000 });
  await control.call('DEBUG', 'POPULATE', 2000, 'key', 100);
  await control.call('CONFIG', 'SET', 'key-load-delay', 20_000);
  const reloaded = control.call('DEBUG', 'RELOAD');
  try {
    await until('it loads', async () => {
      await using node = await connect(cluster.endpoint(loading));
      return parseInfo(String(await node.call('INFO', 'persistence')))['loading'] === '1';
    });
    await expect(readAccount(cluster.endpoint(loading))).rejects.toMatchObject({
      type: 'Unreachable',
      message: `${loading.address} is loading its dataset`,
    });
    const { disagreements } = await readTopology(cluster.endpoint(), [loading.address, other.address]);
    expect(disagreements).toContain(`${loading.address} is loading its dataset`);
  } finally {
    await using node = await connect(cluster.endpoint(loading));
    await node.call('CONFIG', 'SET', 'key-load-delay', 0);
    await reloaded;
  }
});

test('a replica that serves no stale data is connected while its primary is away', async () => {
  await using servers = await Sandbox.servers(1, { release: '8.0', configuration: ['replica-serve-stale-data no'] });
  await using node = await servers.connect();
  await node.call('REPLICAOF', '127.0.0.1', servers.nodes[0]?.port ?? 0);
  await expect(node.call('PING')).rejects.toThrow(/MASTERDOWN/);
  await using again = await servers.connect();
  expect(String(await again.call('INFO', 'replication'))).toMatch(/master_link_status:down/);
});

test('a server held up by a script is hung, and says by what', async () => {
  await using servers = await Sandbox.servers(1, { release: '8.0', configuration: ['busy-reply-threshold 10'] });
  await using node = await servers.connect(undefined, { timeoutMs: 60_000 });
  const script = node.call('EVAL', 'while true do end', 0).catch((error: unknown) => error);
  let failure: unknown;
  await until('PING is refused', async () => {
    try {
      (await servers.connect()).close();
      return false;
    } catch (error) {
      failure = error;
      return true;
    }
  });
  expect(failure).toMatchObject({ type: 'NodeHung', message: expect.stringContaining('SCRIPT KILL') as string });
  await servers.kill(servers.nodes[0] ?? { port: 0, address: '', home: '' });
  await script;
});
