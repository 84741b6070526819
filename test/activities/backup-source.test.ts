// What would be found out when the backup is needed: that it was taken from a replica which had lost data long ago.
import { expect, test } from 'vitest';
import { backupSource } from '../../activities/backup-source.js';
import { at, connect, type NodeConnection } from '../../redis/connection.js';
import { readInfo } from '../../redis/node.js';
import { Sandbox, until, type SandboxNode } from '../../scripts/sandbox/cluster.js';

const connectTo =
  (sandbox: Sandbox) =>
  (address: string): Promise<NodeConnection> =>
    connect(at(sandbox.endpoint(), address));

async function follow(replica: NodeConnection, primary: SandboxNode): Promise<void> {
  await replica.call('REPLICAOF', '127.0.0.1', primary.port);
  await until('the replica is linked', async () => (await readInfo(replica))['master_link_status'] === 'up');
}

test('a replica of an older line than its primary is never chosen, however healthy it looks', async () => {
  // 6.2 reads what 6.2 and 5.0 save alike: an old replica of a newer primary, linked and without lag.
  await using newer = await Sandbox.servers(2, { release: '6.2' });
  await using older = await Sandbox.servers(1, { release: '5.0.6' });
  const [primary, twin] = newer.nodes;
  const [old] = older.nodes;
  if (!primary || !twin || !old) throw new Error('three servers expected');
  await using source = await newer.connect(primary);
  await source.call('SET', 'k', 'v');
  await using replica = await older.connect(old);
  await follow(replica, primary);
  const nodes = [primary.address, old.address];
  expect(await backupSource(connectTo(newer), nodes)).toBe(primary.address);
  await using sibling = await newer.connect(twin);
  await follow(sibling, primary);
  expect(await backupSource(connectTo(newer), [...nodes, twin.address])).toBe(twin.address);
});

test('a replica that was upgraded already is no source: what it saves, the release that serves could not load', async () => {
  await using older = await Sandbox.servers(2, { release: '5.0.6' });
  await using newer = await Sandbox.servers(1, { release: '7.0' });
  const [primary, twin] = older.nodes;
  const [upgraded] = newer.nodes;
  if (!primary || !twin || !upgraded) throw new Error('three servers expected');
  await using replica = await newer.connect(upgraded);
  await follow(replica, primary);
  const nodes = [primary.address, upgraded.address];
  expect(await backupSource(connectTo(older), nodes)).toBe(primary.address);
  await using sibling = await older.connect(twin);
  await follow(sibling, primary);
  expect(await backupSource(connectTo(older), [...nodes, twin.address])).toBe(twin.address);
});

test('a replica that has lost its link is passed over, and one that is away; with roles turned, the role counts', async () => {
  await using sandbox = await Sandbox.servers(3, { release: '7.2' });
  const [a, b, c] = sandbox.nodes;
  if (!a || !b || !c) throw new Error('three servers expected');
  const nodes = [a.address, b.address, c.address];
  await using second = await sandbox.connect(b);
  await using third = await sandbox.connect(c);
  await follow(second, a);
  await follow(third, a);
  await using first = await sandbox.connect(a);
  await first.call('SET', 'k', 'v');
  // B loses its primary: what it has is from before.
  await second.call('CONFIG', 'SET', 'masterauth', 'wrong');
  await second.call('REPLICAOF', '127.0.0.1', '1');
  await until('b has no link', async () => (await readInfo(second))['master_link_status'] === 'down');
  expect(await backupSource(connectTo(sandbox), nodes)).toBe(c.address);
  await sandbox.kill(c);
  expect(await backupSource(connectTo(sandbox), nodes)).toBe(a.address);
  // Whom the caller takes for the primary doesn't matter.
  expect(await backupSource(connectTo(sandbox), [b.address, a.address])).toBe(a.address);
  await sandbox.kill(a);
  await expect(backupSource(connectTo(sandbox), nodes)).rejects.toMatchObject({ type: 'Unreachable' });
});
