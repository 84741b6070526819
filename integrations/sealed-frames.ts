import { RolloutError } from '../model/failures.js';

/** Bytes of plain text that are authenticated, and held, at a time. */
export const FRAME_BYTES = 256 * 1024;

const ID_BYTES = 32;
const COMMITMENT_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** AES-256-GCM, HKDF with SHA-512 and key commitment, no signature. */
const SUITE = 0x0478;
const FINAL = 0xffffffff;
/** Ours have 300 bytes. */
const LONGEST_HEADER = 8192;

interface Part {
  /** What was understood. */
  bytes: number;
  /** What follows of it: content and tag. */
  skip: number;
  last?: boolean;
}

/**
 * Passes an object of the AWS Encryption SDK's message format, version 2, through as it is, and refuses one whose parts do
 * not fit together: https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/message-format.html. What is in the
 * frames the SDK authenticates; but bytes after the last one it holds, and takes no further notice of (decrypt-node 5.0).
 *
 * @throws RolloutError Damaged, naming the object
 */
export async function* wellFramed(sealed: AsyncIterable<Buffer>, object: string): AsyncGenerator<Buffer, void, void> {
  const malformed: Malformed = (what) => new RolloutError('Damaged', `${object}: it is not as it was sealed (${what})`);
  let held: Buffer = Buffer.alloc(0);
  let frames = -1;
  let skip = 0;
  let ended = false;
  for await (const chunk of sealed) {
    let left = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    held = Buffer.alloc(0);
    while (left.length > 0) {
      const skipped = Math.min(skip, left.length);
      skip -= skipped;
      left = left.subarray(skipped);
      if (left.length === 0) break;
      if (ended) throw malformed('it goes on after its last frame');
      const part = frames < 0 ? readHeader(left, malformed) : readFrame(left, frames + 1, malformed);
      if (part === undefined) {
        // A copy: it must not keep the whole chunk alive.
        held = Buffer.from(left);
        break;
      }
      left = left.subarray(part.bytes);
      skip = part.skip;
      ended = part.last ?? false;
      frames++;
    }
    yield chunk;
  }
  if (!ended || skip > 0) throw malformed('it ends early');
}

type Malformed = (what: string) => RolloutError;

/** Undefined while too little of it is there. */
function readHeader(bytes: Buffer, malformed: Malformed): Part | undefined {
  if (bytes[0] !== 2 || (bytes.length >= 3 && bytes.readUInt16BE(1) !== SUITE))
    throw malformed('it begins as nothing that was sealed here');
  const end = headerEnd(bytes);
  if (end === undefined) {
    if (bytes.length > LONGEST_HEADER) throw malformed('its header has no end');
    return undefined;
  }
  if (bytes[end - 5] !== 2 || bytes.readUInt32BE(end - 4) !== FRAME_BYTES)
    throw malformed('its frames have another length');
  return { bytes: end, skip: COMMITMENT_BYTES + TAG_BYTES };
}

/** Behind the encryption context, the data key as each key has wrapped it, the kind of content, and the frames' length. */
function headerEnd(bytes: Buffer): number | undefined {
  let at = 3 + ID_BYTES;
  /** A length of two bytes, and that many more. */
  const field = (): boolean => {
    if (bytes.length < at + 2) return false;
    at += 2 + bytes.readUInt16BE(at);
    return true;
  };
  if (!field() || bytes.length < at + 2) return undefined;
  const keys = bytes.readUInt16BE(at);
  at += 2;
  for (let i = 0; i < 3 * keys; i++) if (!field()) return undefined;
  return bytes.length < at + 5 ? undefined : at + 5;
}

/** Undefined while too little of it is there. */
function readFrame(bytes: Buffer, expected: number, malformed: Malformed): Part | undefined {
  if (bytes.length < 4) return undefined;
  const last = bytes.readUInt32BE(0) === FINAL;
  const head = last ? 4 + 4 + IV_BYTES + 4 : 4 + IV_BYTES;
  if (bytes.length < head) return undefined;
  const number = bytes.readUInt32BE(last ? 4 : 0);
  if (number !== expected) throw malformed(`frame ${number} where frame ${expected} belongs`);
  const length = last ? bytes.readUInt32BE(head - 4) : FRAME_BYTES;
  if (length > FRAME_BYTES) throw malformed('its last frame is too long');
  return { bytes: head, skip: length + TAG_BYTES, last };
}
