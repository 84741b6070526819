import { type Decode, RdbReader, type RdbRecord } from './reader.js';
import type { RdbSummary } from './tally.js';

/**
 * Reads the values of an RDB of Redis 5.0 … 8.2 or Valkey 8.1 … 9.1 as it arrives, and what else it has, in its own
 * order; at the end its checksum is verified. Memory is bounded: a large collection comes in pieces, a string at once.
 * The buffers given out are slices of the chunks.
 *
 * Whoever applies what comes before the end trusts it before it is verified: a turned bit within a value shows only
 * in the checksum.
 *
 * @returns what it held, as `checkRdb` says it
 * @throws RolloutError BackupFailed when it is truncated, malformed or its checksum differs; the message has the byte
 */
export async function* readEntries(
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  decode: Decode = {},
): AsyncGenerator<RdbRecord, RdbSummary, void> {
  const reader = new RdbReader(decode);
  for await (const chunk of chunks) for (const record of reader.read(chunk)) yield record;
  return reader.end();
}
