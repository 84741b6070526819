import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { z } from 'zod';
import { damaged } from './sealed.js';

const count = z.number().int().min(0);

/** At the beginning of a segment: what its name says and more, sealed with it. */
const segmentHeader = z.strictObject({
  format: z.literal(1),
  first: count,
  replid: z.string(),
  release: z.string(),
  /** `host:port` that it was read from, and whether that was a replica. */
  node: z.string(),
  role: z.enum(['primary', 'replica']),
  /**
   * Does it begin where no command and no transaction is under way? One that is larger than a segment is cut wherever it
   * is.
   */
  aligned: z.boolean(),
  /**
   * Nobody archived for a while: what follows up to and with this offset was written since then (Unix ms), and came only when
   * somebody did again.
   */
  late: z.strictObject({ since: count, upTo: count }).optional(),
  /** Where a failover brought this history: the one before it, which it took over up to and with this offset. */
  tookOver: z.strictObject({ replid: z.string(), offset: count }).optional(),
});
export type SegmentHeader = z.output<typeof segmentHeader>;

/** What arrived together. */
export interface StreamRecord {
  /** When, Unix ms by the archiving worker's clock. */
  at: number;
  /** Offset of its first byte. */
  first: number;
  bytes: Buffer;
}

/** Eight bytes of time, eight of offset, four of length, big-endian; then the bytes. */
const HEAD_BYTES = 20;
const LONGEST_RECORD = 1 << 20;
const LONGEST_HEADER = 64 * 1024;

const zip = promisify(gzip);

/** Compressed: a line of JSON, the records one after the other, and a record without bytes that says where it ends. */
export async function encodeSegment(header: SegmentHeader, records: readonly StreamRecord[]): Promise<Buffer> {
  const pieces: Buffer[] = [Buffer.from(`${JSON.stringify(header)}\n`)];
  let next = header.first;
  let last = 0;
  for (const { at, first, bytes } of records) {
    for (let from = 0; from < bytes.length; from += LONGEST_RECORD) {
      const piece = bytes.subarray(from, from + LONGEST_RECORD);
      pieces.push(head(at, first + from, piece.length), piece);
    }
    next = first + bytes.length;
    last = at;
  }
  pieces.push(head(last, next, 0));
  return zip(Buffer.concat(pieces), { level: 1 });
}

function head(at: number, first: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES);
  bytes.writeBigUInt64BE(BigInt(at), 0);
  bytes.writeBigUInt64BE(BigInt(first), 8);
  bytes.writeUInt32BE(length, 16);
  return bytes;
}

/**
 * Reads a segment that is decompressed already, and compares it with what its name says of it.
 *
 * @throws RolloutError Damaged, naming the object, where it isn't one, has a gap, ends early or goes on
 */
export async function* decodeSegment(
  plain: AsyncIterable<Buffer>,
  { object, first, end, replid, release }: { object: string; first: number; end: number; replid: string; release: string }, // prettier-ignore
): AsyncGenerator<SegmentHeader | StreamRecord, void, void> {
  let held: Buffer = Buffer.alloc(0);
  let header: SegmentHeader | undefined;
  let next = first;
  let ended = false;
  for await (const chunk of plain) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (!header) {
      const line = held.indexOf(10);
      if (line < 0 && held.length < LONGEST_HEADER) continue;
      header = readHeader(held.subarray(0, Math.max(0, line)), object);
      if (header.first !== first || header.replid !== replid || header.release !== release)
        throw damaged(object, `it begins at ${header.first} of ${header.replid}, its name says otherwise`);
      held = held.subarray(line + 1);
      yield header;
    }
    while (held.length >= HEAD_BYTES) {
      const [at, offset] = [Number(held.readBigUInt64BE(0)), Number(held.readBigUInt64BE(8))];
      const length = held.readUInt32BE(16);
      if (ended) throw damaged(object, 'it goes on after its end');
      if (offset !== next || length > LONGEST_RECORD)
        throw damaged(object, `a record of it begins at ${offset}, where ${next} should come`);
      if (held.length < HEAD_BYTES + length) break;
      if (length === 0) ended = true;
      else yield { at, first: offset, bytes: held.subarray(HEAD_BYTES, HEAD_BYTES + length) };
      next += length;
      held = held.subarray(HEAD_BYTES + length);
    }
  }
  if (!ended || held.length > 0) throw damaged(object, ended ? 'it goes on after its end' : 'it ends early');
  if (next !== end + 1) throw damaged(object, `it ends at ${next - 1}, its name says ${end}`);
}

function readHeader(line: Buffer, object: string): SegmentHeader {
  try {
    return segmentHeader.parse(JSON.parse(line.toString('utf8')));
  } catch {
    throw damaged(object, 'it does not begin as a segment does');
  }
}
