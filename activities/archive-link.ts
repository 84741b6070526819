import type { Standing } from '../model/archive.js';
import { RolloutError } from '../model/failures.js';
import { connect } from '../redis/connection.js';
import type { Attachment } from '../redis/replication/client.js';
import { readPosition, type StreamPosition } from '../redis/replication/position.js';
import { linkAfter } from '../redis/replication/stream.js';
import type { ArchiveSource } from './archive-shard.js';

/** A server pings its replicas every 10 s. */
const SILENCE_MS = 25_000;

export type Linked =
  | { source: ArchiveSource; attachment: Attachment; position: StreamPosition }
  /** None of them has what follows. */
  | { gap: string };

/**
 * Attaches to the first of a shard's nodes that can go on from a point.
 *
 * @param patient a node that can't be read may have it yet
 * @throws RolloutError Unreachable, NodeHung, …: of a node that could not be read, where no other goes on
 */
export async function linkToAny(
  sources: readonly ArchiveSource[],
  point: Standing,
  { patient, signal }: { patient: boolean; signal: AbortSignal },
): Promise<Linked> {
  const gaps: string[] = [];
  let failure: RolloutError | undefined;
  for (const source of sources) {
    signal.throwIfAborted();
    try {
      // Of a replica's own replicas none counts for WAIT; of a primary's, an archive is not to.
      const acknowledge = source.role === 'replica' ? 'stream' : 'none';
      const link = await linkAfter(point, source.endpoint, { acknowledge, silenceMs: SILENCE_MS, signal });
      if ('gap' in link) gaps.push(link.gap.why);
      else return await linked(source, link.attachment);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RolloutError)) throw error;
      failure ??= error;
    }
  }
  if (gaps.length > 0 && !(failure && patient)) return { gap: gaps.join('; ') };
  throw failure ?? new RolloutError('Unreachable', 'no node of the shard can be read');
}

async function linked(source: ArchiveSource, attachment: Attachment): Promise<Linked> {
  try {
    return { source, attachment, position: await positionOf(source) };
  } catch (error) {
    attachment.close();
    throw error;
  }
}

async function positionOf({ endpoint }: ArchiveSource): Promise<StreamPosition> {
  await using node = await connect(endpoint);
  return await readPosition(node);
}
