import { expect, test } from 'vitest';
import { Sandbox } from '../../scripts/sandbox/cluster.js';
import { Toxiproxy } from '../../scripts/sandbox/toxiproxy.js';
import { at, connect } from '../../redis/connection.js';

test('a way to a server is mute, cut and mended, for connections that are open too', async () => {
  await using toxiproxy = await Toxiproxy.start();
  await using servers = await Sandbox.servers(1, { release: '8.0' });
  const proxy = await toxiproxy.proxy('node', servers.nodes[0]?.address ?? '');
  const through = at(servers.endpoint(), proxy.address);
  await using open = await connect(through, { timeoutMs: 1000 });
  expect(await open.call('PING')).toBe('PONG');

  const mute = await proxy.poison({ type: 'timeout', attributes: { timeout: 0 } });
  await expect(open.call('PING')).rejects.toThrow();
  await proxy.cure(mute);
  await proxy.cut();
  await expect(connect(through, { timeoutMs: 1000 })).rejects.toThrow();
  await proxy.mend();
  await using again = await connect(through);
  expect(await again.call('PING')).toBe('PONG');
});
