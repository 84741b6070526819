import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { RawClient } from '../../../redis/probe/raw-client.js';
import { keySlot } from '../../../redis/probe/slot.js';
import { Sandbox } from '../../../scripts/sandbox/cluster.js';

const soon = (): number => performance.now() + 5000;

test('a slot that moves: ASK while it is under way, MOVED afterwards, and every write is answered', async () => {
  await using cluster = await Sandbox.cluster({ release: '5.0.6', replicasEach: 0 });
  const [seed, , third] = cluster.nodes;
  await using from = await cluster.connect(seed);
  await using to = await cluster.connect(third);
  const key = 'probe:{3}:moving';
  const slot = keySlot(key);
  expect(slot).toBeLessThan(5461);
  const [fromId, toId] = [String(await from.call('CLUSTER', 'MYID')), String(await to.call('CLUSTER', 'MYID'))];
  const client = new RawClient([cluster.nodes[1]?.address ?? ''], cluster.endpoint());
  try {
    expect(await client.send(['INCR', 'probe:{3}:known'], slot, soon())).toBe(1);
    await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
    await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
    // The key is not at the owner: it says ASK, and the other node takes it only after ASKING.
    expect(await client.send(['INCR', key], slot, soon())).toBe(1);
    expect(await client.send(['INCR', 'probe:{3}:known'], slot, soon())).toBe(2);
    await from.call('MIGRATE', '127.0.0.1', third?.port ?? 0, '', 0, 5000, 'KEYS', 'probe:{3}:known');
    await to.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
    await from.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
    expect(await client.send(['INCR', key], slot, soon())).toBe(2);
    expect(await client.send(['INCR', 'probe:{3}:known'], slot, soon())).toBe(3);
    // Many at once over connections that the server cuts.
    const writes = Array.from({ length: 200 }, () => client.send(['INCR', key], slot, soon()));
    await to.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const replies = (await Promise.all(writes)).map(Number);
    expect(replies).toHaveLength(200);
    // What was sent twice may count twice, and never less than it was acknowledged.
    expect(Number(await to.call('GET', key))).toBeGreaterThanOrEqual(202);
    await expect(client.send(['HGET', key, 'f'], slot, soon())).rejects.toThrow('WRONGTYPE');
  } finally {
    client.close();
  }
});

test('a state that passes is waited for; the deadline ends the wait', async () => {
  await using lonely = await Sandbox.servers(1, { release: '8.0', configuration: ['cluster-enabled yes'] });
  await using node = await lonely.connect();
  const [seed] = lonely.nodes;
  const client = new RawClient([seed?.address ?? ''], lonely.endpoint());
  try {
    // No slot is served: CLUSTERDOWN.
    await expect(client.send(['SET', 'k', 'v'], keySlot('k'), performance.now() + 300)).rejects.toThrow('deadline');
    const waiting = client.send(['SET', 'k', 'v'], keySlot('k'), performance.now() + 15_000);
    for (let slot = 0; slot < 16384; slot += 1024)
      await node.call('CLUSTER', 'ADDSLOTS', ...Array.from({ length: 1024 }, (_, i) => slot + i));
    expect(await waiting).toBe('OK');
  } finally {
    client.close();
  }
});

test('a seed that accepts and says nothing does not hold up the others', async () => {
  await using cluster = await Sandbox.cluster({ release: '8.0', replicasEach: 0 });
  const mute = createServer(() => undefined).listen(0, '127.0.0.1');
  await new Promise((resolve) => mute.once('listening', resolve));
  const { port } = mute.address() as { port: number };
  const seeds = [`127.0.0.1:${port}`, ...cluster.nodes.map(({ address }) => address)];
  const client = new RawClient(seeds, cluster.endpoint());
  try {
    expect(await client.send(['SET', 'k', 'v'], keySlot('k'), soon())).toBe('OK');
  } finally {
    client.close();
    mute.close();
  }
});
