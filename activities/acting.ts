import { RolloutError } from '../model/failures.js';
import type { FencingToken } from '../platforms/platform.js';
import { isSilent, type NodeConnection } from '../redis/connection.js';

/** Client names of connections over which something is changed; whose it is follows. */
const ACTS = 'redis-rollout-acts:';

/** CLIENT SETNAME takes no blanks. */
const nameOf = ({ epoch, holder }: FencingToken): string => `${ACTS}${epoch}/${holder.replaceAll(' ', '-')}`;

/**
 * Opens a connection over which an attempt may change something. It bears the attempt's name before the fence is asked:
 * so either a later attempt has taken the node, and this one stands back; or the later one will find this connection and
 * close it, and a command that was frozen on its way never arrives.
 *
 * @throws RolloutError Fenced, Unreachable, NodeHung, Unauthorized
 */
export async function openToAct(
  token: FencingToken,
  connect: () => Promise<NodeConnection>,
  fence: () => Promise<void>,
): Promise<NodeConnection> {
  const connection = await connect();
  try {
    await connection.call('CLIENT', 'SETNAME', nameOf(token));
    await fence();
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Closes the connections that earlier attempts act over. Only by who holds the fence, and after taking it. */
export async function closeEarlier(token: FencingToken, connect: () => Promise<NodeConnection>): Promise<void> {
  await using connection = await connect().catch((error: unknown) => {
    // A node that is down has no connections; one that hangs carries nothing out, and the act itself will say so.
    if (isSilent(error)) return undefined;
    throw error;
  });
  if (!connection) return;
  for (const client of String(await connection.call('CLIENT', 'LIST')).split('\n')) {
    const name = /\bname=(\S*)/.exec(client)?.[1] ?? '';
    if (!name.startsWith(ACTS) || name === nameOf(token)) continue;
    const id = /\bid=(\d+)/.exec(client)?.[1] ?? '';
    // It may have ended by itself in between.
    await connection.call('CLIENT', 'KILL', 'ID', id).catch((error: unknown) => {
      if (error instanceof RolloutError) throw error;
    });
  }
}
