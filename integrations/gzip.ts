import { promisify } from 'node:util';
import { createGunzip, deflateRaw as deflateRawWithCallback, gzip as gzipWithCallback } from 'node:zlib';
import { through } from './through.js';

const gzip = promisify(gzipWithCallback);
const deflateRaw = promisify(deflateRawWithCallback);

/** Of a snapshot: a member begins without what came before it, which costs a hundredth with so many. */
const PIECE_BYTES = 256 * 1024;
/** Of each piece, to tell whether it gets smaller at all. */
const SAMPLE_BYTES = 16 * 1024;
/** Whoever gets less than a thirtieth smaller waits for it in vain. */
const WORTH_IT = 0.97;
const AT_ONCE = 2;
const CHUNK_BYTES = 64 * 1024;
/** An RDB's strings are compressed already, and the next levels take twice the time for a hundredth less. */
const LEVEL = 1;

/**
 * Compresses, with gzip, in members of 256 kB (RFC 1952, 2.2: all that read it take several). Two are made at a time; what
 * would not get smaller, as values that a client has compressed or encrypted, is stored, ten times as fast.
 */
export async function* compress(plain: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  const members: Promise<Buffer>[] = [];
  for await (const piece of pieces(plain)) {
    const member = compressPiece(piece);
    // Waited for later, in its turn.
    member.catch(() => undefined);
    members.push(member);
    const first = members.length === AT_ONCE ? members.shift() : undefined;
    if (first) yield await first;
  }
  for (const member of members) yield await member;
}

/** What `compress` made, or any gzip. @throws Error whose `code` begins with `Z_` */
export const decompress = (compressed: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> =>
  through(compressed, createGunzip({ chunkSize: CHUNK_BYTES }));

/** At least one: nothing at all is a member, too. */
async function* pieces(plain: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let held: Buffer[] = [];
  let bytes = 0;
  let first = true;
  for await (const chunk of plain) {
    held.push(chunk);
    bytes += chunk.length;
    if (bytes < PIECE_BYTES) continue;
    yield Buffer.concat(held, bytes);
    [held, bytes, first] = [[], 0, false];
  }
  if (first || bytes > 0) yield Buffer.concat(held, bytes);
}

async function compressPiece(piece: Buffer): Promise<Buffer> {
  const level = (await getsSmaller(piece)) ? LEVEL : 0;
  return gzip(piece, { level, chunkSize: CHUNK_BYTES });
}

async function getsSmaller(piece: Buffer): Promise<boolean> {
  if (piece.length <= SAMPLE_BYTES) return true;
  const from = (piece.length - SAMPLE_BYTES) >> 1;
  const sample = piece.subarray(from, from + SAMPLE_BYTES);
  const { length } = await deflateRaw(sample, { level: LEVEL });
  return length < WORTH_IT * SAMPLE_BYTES;
}
