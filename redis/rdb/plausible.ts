import { keyspaceOf } from '../../model/keyspace.js';
import type { RdbSummary } from './tally.js';

// A command that creates or deletes keys needs at least this much of the stream for each: `$1\r\nk\r\n`.
const bytesPerKey = 7;

/**
 * The number of keys in the snapshot against the node's own afterwards. They may differ by what has expired and by what
 * was written in between, which the replication offset bounds. The checksum can't see a node that has lost its keys.
 *
 * @param info INFO of the node after the transfer
 * @returns what is wrong, or undefined
 */
export function implausible(
  { keys, expires }: Pick<RdbSummary, 'keys' | 'expires'>,
  answer: { replid: string; offset: number },
  info: Readonly<Record<string, string>>,
): string | undefined {
  // After a failover in between the offsets aren't comparable.
  if (info['master_replid'] !== answer.replid) return undefined;
  const counts = keyspaceOf(info);
  const now = counts.reduce((sum, it) => sum + it.keys, 0);
  const expiring = counts.reduce((sum, it) => sum + it.expires, expires);
  const writtenSince = Math.max(0, Number(info['master_repl_offset']) - answer.offset);
  const allowed = expiring + Math.ceil(writtenSince / bytesPerKey);
  if (Math.abs(now - keys) <= allowed) return undefined;
  return `has ${keys} keys and the node ${now}; expiry and the ${writtenSince} bytes written since explain ${allowed} at most`;
}
