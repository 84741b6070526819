import { RolloutError } from '../../model/failures.js';
import type { Link } from './link.js';
import { refusal } from './refusal.js';

export interface SyncRequest {
  /** Where to go on; without it a full snapshot is asked for. `offset` is the last byte that was applied. */
  resume?: { replid: string; offset: number };
  /**
   * The release to announce. Valkey writes the format of that release: unannounced it takes 7.2's, and when a hash has
   * expiring fields, which 7.2 lacks, it answers +FULLRESYNC and hangs up (measured on 9.1.2).
   */
  release?: string;
  /** Ask for the snapshot only: from 6.2 on the server then keeps no output buffer of later writes for us. */
  snapshotOnly?: boolean;
}

export type SyncAnswer =
  /** The snapshot follows; the stream after it begins at `offset`. */
  | { kind: 'full'; replid: string; offset: number }
  /** The stream goes on after `offset`. `replid` is the server's present one, which may be a newer one than asked for. */
  | { kind: 'partial'; replid: string; offset: number };

/**
 * AUTH, REPLCONF, PSYNC, as a replica of 4.0 or later does. `rdbchannel` of 8.0 is never announced: one connection is
 * simpler, and every release serves it. A `listening-port` isn't either: whoever lists this node's replicas (Sentinel,
 * clients) shall not take us for one that can be connected to.
 *
 * @throws RolloutError Unauthorized, MissingPermission, NotCaughtUp, NodeHung, Unreachable
 */
export async function synchronize(link: Link, request: SyncRequest, timeoutMs: number): Promise<SyncAnswer> {
  const { address, endpoint } = link;
  const ask = async (command: string, ...args: (string | number)[]): Promise<string> => {
    link.send(command, ...args);
    return link.line(timeoutMs);
  };
  const refused = (command: string, reply: string): RolloutError => refusal(address, endpoint, command, reply);

  if (endpoint.password !== undefined) {
    const user = endpoint.username === undefined ? [] : [endpoint.username];
    const reply = await ask('AUTH', ...user, endpoint.password);
    if (reply !== '+OK') throw refused('AUTH', reply);
  }
  const capable = await ask('REPLCONF', 'capa', 'eof', 'capa', 'psync2');
  if (capable !== '+OK') throw refused('REPLCONF', capable);
  // An older server says `Unrecognized REPLCONF option` to these, and goes on as it always did.
  if (request.release !== undefined) await ask('REPLCONF', 'version', request.release);
  if (request.snapshotOnly && !request.resume) await ask('REPLCONF', 'rdb-only', 1);

  const { resume } = request;
  const reply = resume ? await ask('PSYNC', resume.replid, resume.offset + 1) : await ask('PSYNC', '?', -1);
  const full = /^\+FULLRESYNC ([0-9a-f]{40}) (\d+)$/.exec(reply);
  if (full) return { kind: 'full', replid: full[1] ?? '', offset: Number(full[2]) };
  const partial = /^\+CONTINUE(?: ([0-9a-f]{40}))?$/.exec(reply);
  if (partial && resume) return { kind: 'partial', replid: partial[1] ?? resume.replid, offset: resume.offset };
  if (reply.startsWith('-')) throw refused('PSYNC', reply);
  // syncCommand of replication.c looks at the name it was called by; its own replicas can't resume there either.
  if (reply.startsWith('$') && endpoint.commands?.['PSYNC'] !== undefined)
    throw new RolloutError(
      'MissingPermission',
      `${address}: PSYNC is renamed to ${endpoint.commands['PSYNC']}, and by any other name the server takes it for SYNC, ` +
        'which gives no position to go on from; remove that rename-command',
    );
  throw new RolloutError(
    'Unreachable',
    `${address} answered PSYNC with '${reply.slice(0, 100)}', which no server should`,
  );
}
