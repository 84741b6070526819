import { RolloutError } from '../../model/failures.js';
import type { Link } from './link.js';

/** The snapshot inside a full synchronization. */
export interface Payload {
  /** Bytes, where the server wrote a file first; a diskless transfer ends with a mark instead. */
  length?: number;
  chunks: AsyncGenerator<Buffer, void, void>;
}

const markSize = 40;

/**
 * Reads the announcement that precedes the snapshot: `$<length>` or `$EOF:<40 bytes>`. It may come minutes after
 * PSYNC was answered, with a newline a second to keep us.
 */
export async function openPayload(link: Link, silenceMs: number): Promise<Payload> {
  const line = await link.line(silenceMs);
  const sized = /^\$(\d+)$/.exec(line);
  if (sized) {
    const length = Number(sized[1]);
    return { length, chunks: byLength(link, length, silenceMs) };
  }
  const marked = /^\$EOF:(.{40})$/.exec(line);
  if (marked) return { chunks: byMark(link, Buffer.from(marked[1] ?? '', 'latin1'), silenceMs) };
  throw new RolloutError(
    'BackupFailed',
    `${link.address} announced its snapshot with '${line.slice(0, 100)}' instead of a length or a mark; see its log`,
  );
}

async function* byLength(link: Link, length: number, silenceMs: number): AsyncGenerator<Buffer, void, void> {
  for (let left = length; left > 0;) {
    const chunk = await link.read(silenceMs);
    const ours = chunk.subarray(0, left);
    link.unread(chunk.subarray(ours.length));
    left -= ours.length;
    yield ours;
  }
}

/**
 * The server sends nothing after the mark until it is acknowledged, so the mark is always the end of what has arrived
 * (as in replication.c). Should a dataset contain the mark by chance, at the end of a chunk, the snapshot would be
 * found truncated, never accepted.
 */
async function* byMark(link: Link, mark: Buffer, silenceMs: number): AsyncGenerator<Buffer, void, void> {
  let held: Buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = await link.read(silenceMs);
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const body = bytes.subarray(0, Math.max(0, bytes.length - markSize));
    // A copy: it must not keep the whole chunk alive.
    held = Buffer.from(bytes.subarray(body.length));
    if (body.length > 0) yield body;
    if (held.equals(mark)) return;
  }
}
