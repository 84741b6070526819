import { RdbReader } from './reader.js';
import type { RdbSummary } from './tally.js';

/**
 * Walks a whole RDB, of Redis 5.0 … 8.2 or Valkey 8.1 … 9.1, in bounded memory, down to its checksum.
 *
 * @throws RolloutError BackupFailed when it is truncated, malformed or its checksum differs; the message has the byte
 */
export async function checkRdb(chunks: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<RdbSummary> {
  const reader = new RdbReader();
  for await (const chunk of chunks) reader.push(chunk);
  return reader.end();
}
