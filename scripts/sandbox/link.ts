import { connect, type Endpoint } from '../../redis/connection.js';
import type { Sandbox, SandboxNode } from './cluster.js';
import type { Proxy, Toxiproxy } from './toxiproxy.js';

/** Another address of this machine, which nobody but the proxy knows. */
export const BEHIND = '127.0.0.2';

/**
 * Puts a proxy before a running node of 7.0 or newer, at the address by which everybody knows it, and has its replicas link
 * anew. Its bus is left as it is. It must not be started again meanwhile: its port is taken.
 *
 * @returns the proxy, and what takes it away again
 */
export async function behindProxy(
  toxiproxy: Toxiproxy,
  cluster: Sandbox,
  node: SandboxNode,
): Promise<{ proxy: Proxy; undo: () => Promise<void> }> {
  const known = cluster.endpoint(node);
  const behind = { ...known, host: BEHIND };
  await configure(known, 'bind', BEHIND);
  const proxy = await toxiproxy.proxy(`before-${node.port}-${Date.now()}`, `${BEHIND}:${node.port}`, node.port);
  await relink(behind);
  return {
    proxy,
    undo: async () => {
      await proxy.cut();
      await configure(behind, 'bind', known.host);
      await relink(known);
    },
  };
}

async function configure(endpoint: Endpoint, directive: string, value: string): Promise<void> {
  await using connection = await connect(endpoint);
  await connection.call('CONFIG', 'SET', directive, value);
}

/** A connection outlives the address that it came by. */
async function relink(endpoint: Endpoint): Promise<void> {
  await using connection = await connect(endpoint);
  await connection.call('CLIENT', 'KILL', 'TYPE', 'replica');
}
