import { RolloutError } from '../../model/failures.js';
import { atLeast } from '../../model/release.js';
import type { NodeConnection } from '../connection.js';
import { parseInfo, releaseFromInfo } from '../info.js';
import { readInfo } from '../node.js';
import { readDump } from '../rdb/dump.js';
import type { Elements } from '../rdb/elements.js';
import { MISSING } from '../verify/side.js';
import { ValueWriter, type WriteOptions } from './value-writer.js';
import { word, type Words } from './words.js';

export interface CopyKeyInput extends WriteOptions {
  /** In the key's database, and used by nobody else meanwhile: MULTI holds for all that is sent over it. */
  primary: NodeConnection;
  key: Buffer;
}

export interface CopiedKey {
  /** The history that the offset belongs to. */
  replid: string;
  /**
   * The last byte of the primary's replication stream whose effect the value has; it has no later one's. Up to 6.2 the
   * reading itself is in the stream, as a transaction of nothing (or of the key's deletion, where it had expired), and
   * the offset is before its EXEC.
   */
  offset: number;
  /** The first deletes the key, the others build it anew: to be applied together. */
  commands: Words[];
  /** What of the key the target can't hold. */
  unrepresentable?: string;
}

/**
 * Reads a key of a primary with the point of the replication stream at which it was so. A key that isn't there gives the
 * deletion alone. The whole value is held.
 *
 * @throws the server's own refusal (MOVED, NOPERM, …); RolloutError Unreachable, NodeHung, BackupFailed
 */
export async function copyKey({ primary, key, target, marginMs }: CopyKeyInput): Promise<CopiedKey> {
  const absolute = atLeast(await releaseOf(primary), 7, 0);
  const replies = await primary.pipeline(
    [['MULTI'], ['DUMP', key], [absolute ? 'PEXPIRETIME' : 'PTTL', key], ['TIME'], ['INFO', 'replication'], ['EXEC']],
    { buffers: true },
  );
  const executed = replies.at(-1);
  // The command that was refused says more than EXEC, which is refused because of it.
  const refused = [...replies, ...(Array.isArray(executed) ? (executed as unknown[]) : [])].find(
    (reply) => reply instanceof Error,
  );
  if (refused) throw refused;
  const [dump, expiry, time, info] = executed as [Buffer | null, number, [Buffer, Buffer], Buffer];
  const { master_replid: replid = '', master_repl_offset: offset } = parseInfo(info.toString());
  const at = { replid, offset: Number(offset) };
  if (replid === '' || !Number.isSafeInteger(at.offset))
    throw new RolloutError('NotCaughtUp', `${primary.address} says no replication id and offset in INFO replication`);
  const deletion = [word('UNLINK'), key];
  // Up to 5.0 time goes on within a transaction: it may have expired since it was dumped, and its deletion is in the stream.
  if (dump === null || expiry === MISSING) return { ...at, commands: [deletion] };
  const now = Number(time[0]) * 1000 + Math.floor(Number(time[1]) / 1000);
  const expiresAt = expiry < 0 ? undefined : absolute ? expiry : now + expiry;
  const { commands, unrepresentable } = built(dump, key, expiresAt, { target, marginMs });
  return { ...at, commands: [deletion, ...commands], ...(unrepresentable === undefined ? {} : { unrepresentable }) };
}

function built(dump: Buffer, key: Buffer, expiresAt: number | undefined, options: WriteOptions) {
  const writer = new ValueWriter(options);
  const commands: Words[] = [];
  let unrepresentable: string | undefined;
  const write = (part: Elements, first: boolean, last: boolean): void => {
    const written = writer.write({ key, part, first, last, ...(expiresAt === undefined ? {} : { expiresAt }) });
    for (const command of written.commands) commands.push(command);
    unrepresentable ??= written.unrepresentable;
  };
  let held: Elements | undefined;
  let first = true;
  for (const part of readDump(dump)) {
    if (held) {
      write(held, first, false);
      first = false;
    }
    held = part;
  }
  if (held) write(held, first, true);
  return { commands, unrepresentable };
}

const releases = new WeakMap<NodeConnection, string>();

async function releaseOf(primary: NodeConnection): Promise<string> {
  let found = releases.get(primary);
  if (found === undefined) releases.set(primary, (found = releaseFromInfo(await readInfo(primary, 'server'))));
  return found;
}
