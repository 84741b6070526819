import type { ChildProcess } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
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

/** Ends a server of the test's own, which has nothing to put away, and waits until it is gone. */
export async function endAtOnce(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGKILL');
  await gone;
}

/** Every file below a folder. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}
