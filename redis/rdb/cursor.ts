/** The part of a file that has arrived and was not passed yet. Every read says undefined when more bytes are needed. */
export class Cursor {
  #buffer: Buffer = Buffer.alloc(0);
  #position = 0;
  #before = 0;
  #taken = 0;
  #skip = 0;
  /** Chunks not joined yet: a long string would be copied once for each of them. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** The offset up to which a read has found too little. */
  #wanted = 0;

  /** Bytes passed since the start of the file. */
  get offset(): number {
    return this.#before + this.#position;
  }

  /** Bytes still to pass of what was skipped: more than has arrived. */
  get skipping(): number {
    return this.#skip;
  }

  /** Takes the next bytes of the file. What was passed before must have been taken with `passed`. */
  add(chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#before + this.#buffer.length + this.#waitingBytes < this.#wanted) return;
    const rest = this.#buffer.subarray(this.#position);
    this.#before += this.#position;
    this.#position = this.#taken = 0;
    this.#buffer = rest.length === 0 && this.#waiting.length === 1 ? chunk : Buffer.concat([rest, ...this.#waiting]);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#goOnSkipping();
  }

  /** The bytes that were passed since the last call. */
  passed(): Buffer {
    return this.#buffer.subarray(this.#taken, (this.#taken = this.#position));
  }

  get available(): number {
    return this.#buffer.length - this.#position;
  }

  /** Passes over `count` bytes, also those that have not arrived yet. */
  skip(count: number): void {
    this.#skip += count;
    this.#goOnSkipping();
  }

  byte(): number | undefined {
    if (this.#skip > 0 || this.available < 1) return undefined;
    return this.#buffer[this.#position++];
  }

  take(count: number): Buffer | undefined {
    if (this.#skip > 0) return undefined;
    if (this.available < count) {
      this.#wanted = this.offset + count;
      return undefined;
    }
    return this.#buffer.subarray(this.#position, (this.#position += count));
  }

  /**
   * A length of RDB: 6, 14, 32 or 64 bits (rounded above 2^53), or one of the string encodings as `~kind`, below 0;
   * kinds above 3 are unknown to RDB.
   */
  length(): number | undefined {
    const length = this.exactLength();
    return typeof length === 'bigint' ? Number(length) : length;
  }

  /** As `length`, above 2^53 as a bigint. */
  exactLength(): number | bigint | undefined {
    if (this.#skip > 0 || this.available < 1) return undefined;
    const buffer = this.#buffer;
    const first = buffer[this.#position] ?? 0;
    const size = first === 0x80 ? 5 : first === 0x81 ? 9 : first >>> 6 === 1 ? 2 : 1;
    if (this.available < size) return undefined;
    const at = this.#position + 1;
    this.#position += size;
    if (size === 5) return buffer.readUInt32BE(at);
    if (size === 9) {
      const high = buffer.readUInt32BE(at);
      return high < 0x20_0000 ? high * 0x1_0000_0000 + buffer.readUInt32BE(at + 4) : buffer.readBigUInt64BE(at);
    }
    if (size === 2) return ((first & 0x3f) << 8) | (buffer[at] ?? 0);
    if (first < 0x40) return first;
    // 0x82 … 0xbf announce nothing at all: a kind that no encoding has.
    return ~(first >= 0xc0 ? first & 0x3f : 64);
  }

  /** Goes back to an earlier offset that is still in the buffer. */
  rewind(offset: number): void {
    this.#position = offset - this.#before;
    this.#skip = 0;
  }

  /** What was passed since an offset that is still in the buffer; a slice of it. */
  since(offset: number): Buffer {
    return this.#buffer.subarray(offset - this.#before, this.#position);
  }

  #goOnSkipping(): void {
    const step = Math.min(this.#skip, this.available);
    this.#position += step;
    this.#skip -= step;
  }
}
