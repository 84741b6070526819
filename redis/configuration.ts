import type { NodeConnection } from './connection.js';

/** What a node runs with, whatever its file says. Holds secrets: for the node's own file only, never for a report. */
export interface RunningConfiguration {
  /** `CONFIG GET *`. */
  running: Record<string, string>;
  /** `ACL LIST`: a `user …` line each, passwords as hashes; empty before 6.0. */
  acl: string[];
}

/**
 * Reads the running configuration and the ACL users of a node.
 *
 * @throws the server's error reply when the user may not run CONFIG GET or ACL LIST
 */
export async function readConfiguration(connection: NodeConnection): Promise<RunningConfiguration> {
  const flat = (await connection.call('CONFIG', 'GET', '*')) as string[];
  const running: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) running[flat[i] ?? ''] = flat[i + 1] ?? '';
  return { running, acl: await readAcl(connection) };
}

async function readAcl(connection: NodeConnection): Promise<string[]> {
  try {
    return (await connection.call('ACL', 'LIST')) as string[];
  } catch (error) {
    if (error instanceof Error && /^ERR unknown command/i.test(error.message)) return [];
    throw error;
  }
}
