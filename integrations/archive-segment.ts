import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import { compress } from './gzip.js';
import { damaged } from './sealed.js';

const count = z.number().int().min(0);

/** At the beginning of a segment, or of one of those that it was made of: what the name says and more, sealed with it. */
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

/** Compressed: a line of JSON, the records one after the other, and a record without bytes that says where it ends. */
export function encodeSegment(header: SegmentHeader, records: readonly StreamRecord[]): Promise<Buffer> {
  const writer = new SegmentWriter(header.first);
  const pieces = [header, ...records].flatMap((part) => writer.write(part));
  return buffer(compress([...pieces, writer.end()]));
}

/**
 * The same of several segments, one after the other as they were, not compressed yet.
 *
 * @throws Error where they don't begin at `first`, don't end with `end`, or a byte is missing between two of them
 */
export async function* encodeSeveral(
  parts: AsyncIterable<SegmentHeader | StreamRecord>,
  { first, end }: { first: number; end: number },
): AsyncGenerator<Buffer, void, void> {
  const writer = new SegmentWriter(first);
  for await (const part of parts) yield* writer.write(part);
  yield writer.end();
  if (writer.next !== end + 1) throw new Error(`it ends with ${writer.next - 1}, and not with ${end}`);
}

class SegmentWriter {
  #last = 0;
  #begun = false;

  constructor(public next: number) {}

  write(part: SegmentHeader | StreamRecord): Buffer[] {
    if (part.first !== this.next) throw new Error(`it goes on with ${part.first}, and not with ${this.next}`);
    if (!('bytes' in part)) {
      const before = this.#begun ? [this.end()] : [];
      this.#begun = true;
      return [...before, Buffer.from(`${JSON.stringify(part)}\n`)];
    }
    const { at, first, bytes } = part;
    const pieces: Buffer[] = [];
    for (let from = 0; from < bytes.length; from += LONGEST_RECORD) {
      const piece = bytes.subarray(from, from + LONGEST_RECORD);
      pieces.push(head(at, first + from, piece.length), piece);
    }
    this.next = first + bytes.length;
    this.#last = at;
    return pieces;
  }

  end(): Buffer {
    return head(this.#last, this.next, 0);
  }
}

function head(at: number, first: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES);
  bytes.writeBigUInt64BE(BigInt(at), 0);
  bytes.writeBigUInt64BE(BigInt(first), 8);
  bytes.writeUInt32BE(length, 16);
  return bytes;
}

/**
 * Reads a segment that is decompressed already, and compares it with what its name says of it. One that was made of several
 * has the header of each before its records.
 *
 * @throws RolloutError Damaged, naming the object, where it isn't one, has a gap, ends early or goes on
 */
export async function* decodeSegment(
  plain: AsyncIterable<Buffer>,
  { object, first, end, replid, release }: { object: string; first: number; end: number; replid: string; release: string }, // prettier-ignore
): AsyncGenerator<SegmentHeader | StreamRecord, void, void> {
  let held: Buffer = Buffer.alloc(0);
  let next = first;
  /** What comes is a header, records, or nothing any more. */
  let expected: 'header' | 'records' | 'nothing' = 'header';
  for await (const chunk of plain) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length > 0) {
      if (expected === 'nothing') throw damaged(object, 'it goes on after its end');
      if (expected === 'header') {
        const line = held.indexOf(10);
        if (line < 0 && held.length < LONGEST_HEADER) break;
        const header = readHeader(held.subarray(0, Math.max(0, line)), object);
        if (header.first !== next || header.replid !== replid || header.release !== release)
          throw damaged(object, `it goes on at ${header.first} of ${header.replid}, its name says otherwise`);
        held = held.subarray(line + 1);
        expected = 'records';
        yield header;
        continue;
      }
      if (held.length < HEAD_BYTES) break;
      const [at, offset] = [Number(held.readBigUInt64BE(0)), Number(held.readBigUInt64BE(8))];
      const length = held.readUInt32BE(16);
      if (offset !== next || length > LONGEST_RECORD)
        throw damaged(object, `a record of it begins at ${offset}, where ${next} should come`);
      if (held.length < HEAD_BYTES + length) break;
      if (length === 0) expected = next > end ? 'nothing' : 'header';
      else yield { at, first: offset, bytes: held.subarray(HEAD_BYTES, HEAD_BYTES + length) };
      next += length;
      held = held.subarray(HEAD_BYTES + length);
    }
  }
  if (expected !== 'nothing') throw damaged(object, `it ends early, at ${next - 1} of ${end}`);
  if (next !== end + 1) throw damaged(object, `it ends at ${next - 1}, its name says ${end}`);
}

function readHeader(line: Buffer, object: string): SegmentHeader {
  try {
    return segmentHeader.parse(JSON.parse(line.toString('utf8')));
  } catch {
    throw damaged(object, 'it does not begin as a segment does');
  }
}
