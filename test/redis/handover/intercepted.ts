import { connect as dial, createServer, type Socket } from 'node:net';
import { at, connect, type NodeConnection } from '../../../redis/connection.js';
import type { Sandbox, SandboxNode } from '../../../scripts/sandbox/cluster.js';

/** A connection whose way to the node is held, from the chunk with `word` on, until `act` says whether to let it pass. */
export async function intercepted(
  cluster: Sandbox,
  node: SandboxNode,
  word: string,
  act: () => Promise<'pass' | 'cut'>,
): Promise<{ connection: NodeConnection; [Symbol.asyncDispose]: () => Promise<void> }> {
  const sockets: Socket[] = [];
  const server = createServer((client) => {
    const upstream = dial(node.port, '127.0.0.1');
    sockets.push(client, upstream);
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
    upstream.pipe(client);
    let queue = Promise.resolve();
    client.on('data', (chunk) => {
      queue = queue.then(async () => {
        if (!chunk.includes(word) || (await act()) === 'pass') upstream.write(chunk);
        else for (const socket of [client, upstream]) socket.destroy();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const port = typeof bound === 'object' && bound ? bound.port : 0;
  const connection = await connect(at(cluster.endpoint(node), `127.0.0.1:${port}`));
  return {
    connection,
    async [Symbol.asyncDispose]() {
      connection.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
