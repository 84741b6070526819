/** Bytes that a native call costs less than copying them here, one by one. */
const SHORT_BYTES = 64;

/** RESP commands, written into one buffer word by word: tens of nanoseconds each, where two native calls took a microsecond. */
export class CommandWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafe(size);
  }

  get length(): number {
    return this.#length;
  }
  /** What was written so far: the buffer itself, no copy. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A command begins, of so many words; then each of them. */
  command(words: number): void {
    this.#room(16);
    this.#bytes[this.#length++] = 0x2a;
    this.#number(words);
  }

  /** Of a string each character is one byte. */
  word(word: Buffer | string): void {
    const { length } = word;
    this.#room(length + 32);
    this.#bytes[this.#length++] = 0x24;
    this.#number(length);
    const to = this.#bytes;
    let at = this.#length;
    if (length > SHORT_BYTES) {
      if (typeof word === 'string') to.write(word, at, 'latin1');
      else word.copy(to, at);
      at += length;
    } else if (typeof word === 'string') for (let i = 0; i < length; i++) to[at++] = word.charCodeAt(i);
    else for (let i = 0; i < length; i++) to[at++] = word[i] as number;
    to[at++] = 0x0d;
    to[at++] = 0x0a;
    this.#length = at;
  }

  /** Bytes that are written as they are. */
  raw(bytes: Buffer): void {
    this.#room(bytes.length);
    bytes.copy(this.#bytes, this.#length);
    this.#length += bytes.length;
  }

  #number(value: number): void {
    const to = this.#bytes;
    let at = this.#length;
    if (value < 10) to[at++] = 48 + value;
    else {
      let scale = 10;
      while (scale * 10 <= value) scale *= 10;
      for (let left = value; scale >= 1; scale /= 10) {
        const digit = Math.floor(left / scale);
        to[at++] = 48 + digit;
        left -= digit * scale;
      }
    }
    to[at++] = 0x0d;
    to[at++] = 0x0a;
    this.#length = at;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#length + bytes));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
