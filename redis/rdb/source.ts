import type { RolloutError } from '../../model/failures.js';
import type { Cursor } from './cursor.js';
import type { Elements } from './elements.js';
import { decompressLzf } from './lzf.js';

/** Longest string that is held: twice what any server takes in a command unless it was configured to. */
const LONGEST = 1024 * 1024 * 1024;
/** The most that a byte of LZF stands for: three bytes for a reference of 264. */
const LZF_GAIN = 88;

/** What values are made of. A read that finds too little says undefined and stays where it was. */
export class Source {
  constructor(
    readonly cursor: Cursor,
    readonly malformed: (what: string, offset?: number) => RolloutError,
  ) {}

  string(): Buffer | undefined {
    const { cursor } = this;
    const start = cursor.offset;
    const length = cursor.length();
    if (length === undefined) return undefined;
    const bytes = length >= 0 ? this.#bytes(length, start) : this.#encoded(~length, start);
    if (bytes === undefined) cursor.rewind(start);
    return bytes;
  }

  /** How many elements or rounds follow. */
  count(): number | undefined {
    const start = this.cursor.offset;
    const count = this.cursor.length();
    if (count === undefined) return undefined;
    if (count < 0) throw this.malformed('a length is malformed', start);
    if (count > Number.MAX_SAFE_INTEGER) throw this.malformed(`a count of ${count}`, start);
    return count;
  }

  /** A number of up to 64 bits. */
  number(): number | bigint | undefined {
    const start = this.cursor.offset;
    const number = this.cursor.exactLength();
    if (number !== undefined && number < 0) throw this.malformed('a length is malformed', start);
    return number;
  }

  /** Two numbers, of which a stream's id is made. */
  id(): string | undefined {
    const start = this.cursor.offset;
    const ms = this.number();
    const seq = ms === undefined ? undefined : this.number();
    if (seq === undefined) {
      this.cursor.rewind(start);
      return undefined;
    }
    return `${String(ms)}-${String(seq)}`;
  }

  /** Unix ms, or what stands for none: below 0 in most places. */
  milliseconds(): number | undefined {
    const bytes = this.cursor.take(8);
    return bytes && bytes.readInt32LE(4) * 0x1_0000_0000 + bytes.readUInt32LE(0);
  }

  take(count: number): Buffer | undefined {
    return this.cursor.take(count);
  }

  #bytes(length: number, start: number): Buffer | undefined {
    if (length > LONGEST) throw this.malformed(`a string of ${length} bytes is longer than can be held`, start);
    return this.cursor.take(length);
  }

  /** How many bytes an encoded string takes, behind its header, and how many it stands for. Passes the header. */
  encoding(kind: number, start: number): { bytes: number; text: number } | undefined {
    if (kind <= 2) return { bytes: 1 << kind, text: 0 };
    if (kind !== 3) throw this.malformed(`a string has the unknown encoding ${kind}`, start);
    const bytes = this.count();
    const text = bytes === undefined ? undefined : this.count();
    if (bytes === undefined || text === undefined) return undefined;
    if (bytes === 0 || text === 0) throw this.malformed('an empty compressed string', start);
    return { bytes, text };
  }

  #encoded(kind: number, start: number): Buffer | undefined {
    const sizes = this.encoding(kind, start);
    const bytes = sizes && this.#bytes(sizes.bytes, start);
    if (!bytes) return undefined;
    if (kind !== 3) return Buffer.from(String(bytes.readIntLE(0, bytes.length)), 'latin1');
    const { text } = sizes;
    if (text > LONGEST) throw this.malformed(`a string of ${text} bytes is longer than can be held`, start);
    const unpacked = text > bytes.length * LZF_GAIN ? undefined : decompressLzf(bytes, text);
    if (!unpacked) throw this.malformed('a compressed string does not unpack to its length', start);
    return unpacked;
  }
}

/**
 * A value on its way: each step gives a piece of it, or says that more bytes are needed; the last piece is what is
 * returned. Nothing is held but the piece, and the string that it is packed in.
 */
export type Decoding = Generator<Elements | typeof starved, Elements, void>;

export const starved = Symbol('starved');

/** Asks again whenever more bytes have come. */
export function* later<T>(read: () => T | undefined): Generator<typeof starved, T, void> {
  for (;;) {
    yield starved;
    const it = read();
    if (it !== undefined) return it;
  }
}
