import { RolloutError } from '../model/failures.js';
import { at, connect, type Endpoint, type NodeConnection } from './connection.js';
import { parseInfo } from './info.js';
import { poll } from './roles.js';

/** One directive's running value; undefined where the release doesn't know it. */
export async function getDirective(connection: NodeConnection, directive: string): Promise<string | undefined> {
  const [, value] = (await connection.call('CONFIG', 'GET', directive)) as string[];
  return value;
}

/** CONFIG SET; a refusal names node and directive, never the value. */
export async function setDirective(connection: NodeConnection, directive: string, value: string): Promise<void> {
  try {
    await connection.call('CONFIG', 'SET', directive, value);
  } catch (error) {
    if (error instanceof RolloutError) throw error;
    // The server repeats the value in its refusal.
    const why = /^NOPERM/.test((error as Error).message) ? 'the user may not' : 'the server refused';
    throw new RolloutError('MissingPermission', `${connection.address}: CONFIG SET ${directive}: ${why}`);
  }
}

export async function readInfo(connection: NodeConnection, ...sections: string[]): Promise<Record<string, string>> {
  return parseInfo(String(await connection.call('INFO', ...sections)));
}

/**
 * Has a node write its dataset to disk in the background and waits for it. A BGSAVE that somebody else started is
 * awaited first: its snapshot may be older than the call.
 *
 * @throws RolloutError BackupFailed when the server says that it failed
 */
export async function backgroundSave(
  connection: NodeConnection,
  options: { onProgress?: () => void; signal?: AbortSignal } = {},
): Promise<void> {
  const finished = async (): Promise<Record<string, string>> =>
    poll(
      async () => {
        options.onProgress?.();
        return readInfo(connection, 'persistence');
      },
      (info) => info['rdb_bgsave_in_progress'] === '0' && info['aof_rewrite_in_progress'] === '0',
      { everyMs: 20, withinMs: 24 * 3_600_000, ...(options.signal ? { signal: options.signal } : {}) },
    );
  await finished();
  await connection.call('BGSAVE');
  const info = await finished();
  if (info['rdb_last_bgsave_status'] !== 'ok')
    throw new RolloutError(
      'BackupFailed',
      `${connection.address}: BGSAVE ended with '${info['rdb_last_bgsave_status'] ?? '?'}'; its log says why (often a full disk, or too little memory to fork)`,
    );
}

/**
 * Ends a replica without saving. Refuses a node that is primary or holds slots, right before the command.
 *
 * @throws RolloutError Stopped when the node must be handed over first
 */
export async function shutDownReplica(connection: NodeConnection): Promise<void> {
  const [role] = (await connection.call('ROLE')) as [string];
  if (role !== 'slave')
    throw new RolloutError(
      'Stopped',
      `${connection.address} is primary: a primary is handed over before it is stopped, never just stopped`,
    );
  await connection.call('SHUTDOWN', 'NOSAVE').catch((error: unknown) => {
    // The connection ends without a reply when the server does as it is told.
    if (error instanceof Error && /^(ERR|NOPERM)/.test(error.message))
      throw new RolloutError('MissingPermission', `${connection.address}: SHUTDOWN: ${error.message}`);
  });
}

/**
 * Has a primary write its dataset and end, in one step: what it acknowledged is in the file, and nothing is acknowledged
 * after it. The connection must be open for as long as that takes.
 *
 * @throws RolloutError BackupFailed when it could not be written: then it serves on
 */
export async function shutDownSaving(connection: NodeConnection): Promise<void> {
  await connection.call('SHUTDOWN', 'SAVE').catch((error: unknown) => {
    // The connection ends without a reply when the server does as it is told.
    if (!(error instanceof Error) || !/^(ERR|NOPERM)/.test(error.message)) return;
    throw new RolloutError(
      /^NOPERM/.test(error.message) ? 'MissingPermission' : 'BackupFailed',
      `${connection.address}: SHUTDOWN SAVE: ${error.message} It serves on; its log says why (often a full disk)`,
    );
  });
}

/**
 * Connects as soon as the node answers at all; LOADING counts as an answer.
 *
 * @param options.onMiss called after each try that failed; what it throws ends the waiting
 */
export async function connectWhenUp(
  endpoint: Endpoint,
  address: string,
  options: { withinMs: number; onMiss?: () => Promise<void>; signal?: AbortSignal },
): Promise<NodeConnection> {
  let last: unknown;
  const connection = await poll(
    async () => {
      try {
        return await connect(at(endpoint, address));
      } catch (error) {
        last = error;
        await options.onMiss?.();
        return undefined;
      }
    },
    (it) => it !== undefined,
    { everyMs: 50, withinMs: options.withinMs, ...(options.signal ? { signal: options.signal } : {}) },
  );
  if (connection) return connection;
  throw last instanceof RolloutError
    ? last
    : new RolloutError('Unreachable', `${address} did not answer within ${options.withinMs} ms`);
}

/** Switches the append-only file on and waits until it holds the whole dataset. */
export async function appendOnlyAgain(
  connection: NodeConnection,
  options: { onProgress?: () => void; signal?: AbortSignal } = {},
): Promise<void> {
  if ((await getDirective(connection, 'appendonly')) !== 'yes') await setDirective(connection, 'appendonly', 'yes');
  const info = await poll(
    async () => {
      options.onProgress?.();
      return readInfo(connection, 'persistence');
    },
    (it) => it['aof_enabled'] === '1' && it['aof_rewrite_in_progress'] === '0' && it['aof_rewrite_scheduled'] === '0',
    { everyMs: 50, withinMs: 24 * 3_600_000, ...(options.signal ? { signal: options.signal } : {}) },
  );
  if (info['aof_last_bgrewrite_status'] !== 'ok')
    throw new RolloutError(
      'BackupFailed',
      `${connection.address}: the append-only file could not be written again (${info['aof_last_bgrewrite_status'] ?? '?'})`,
    );
}

/** `cluster-replica-no-failover`, as the release calls it. */
export const noFailover = 'cluster-replica-no-failover';
