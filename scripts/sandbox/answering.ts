import type { ChildProcess } from 'node:child_process';
import { until } from './cluster.js';

/** Returns it once it answers by HTTP; one that does not is thrown away. @throws Error where it ended, or takes too long */
export async function answering<Server extends AsyncDisposable & { endpoint: string }>(
  what: string,
  child: ChildProcess,
  server: Server,
): Promise<Server> {
  try {
    await until(`${what} answers`, async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
      return (await fetch(server.endpoint)).status > 0;
    });
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}
