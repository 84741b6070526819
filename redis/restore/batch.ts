/** Commands on their way to one node, written into one buffer as they are made: a key is to cost a microsecond. */
export class Batch {
  #bytes = Buffer.allocUnsafe(SIZE);
  #length = 0;
  /** Where each write ends, the replies that it gets, and its slot. */
  readonly ends: number[] = [];
  readonly dues: number[] = [];
  readonly slots: number[] = [];

  get full(): boolean {
    return this.#length >= FULL || this.ends.length >= MOST;
  }
  get empty(): boolean {
    return this.ends.length === 0;
  }
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** The bytes of one write, from the first to the last of its commands. A copy. */
  write(index: number): Buffer {
    return Buffer.from(this.#bytes.subarray(index === 0 ? 0 : this.ends[index - 1], this.ends[index]));
  }

  /** A command begins, of so many words; then each of them. */
  command(words: number): void {
    this.#room(16);
    this.#bytes[this.#length++] = 0x2a;
    this.#number(words);
  }

  word(bytes: Buffer): void {
    const { length } = bytes;
    this.#room(length + 32);
    this.#bytes[this.#length++] = 0x24;
    this.#number(length);
    const to = this.#bytes;
    let at = this.#length;
    // A native call costs as much as copying so many bytes here.
    if (length <= 64) for (let i = 0; i < length; i++) to[at++] = bytes[i] as number;
    else {
      bytes.copy(to, at);
      at += length;
    }
    to[at++] = 0x0d;
    to[at++] = 0x0a;
    this.#length = at;
  }

  /** What was written since the last `end` belongs together. */
  end(due: number, slot: number): void {
    this.ends.push(this.#length);
    this.dues.push(due);
    this.slots.push(slot);
  }

  /** A write that was taken out of another batch. */
  again({ bytes, due, slot }: Write): void {
    this.#room(bytes.length);
    bytes.copy(this.#bytes, this.#length);
    this.#length += bytes.length;
    this.end(due, slot);
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

/** One or several commands about one slot that are carried out together, and repeated together. */
export interface Write {
  bytes: Buffer;
  due: number;
  slot: number;
}

const SIZE = 80 * 1024;
const FULL = 64 * 1024;
const MOST = 1000;

/** The second word of a write's command at this place: the key, where it is one. */
export function wordsOf(bytes: Buffer): Buffer[] {
  const words: Buffer[] = [];
  let at = 0;
  const line = (): number => {
    const end = bytes.indexOf('\r\n', at, 'latin1');
    const number = Number(bytes.toString('latin1', at + 1, end));
    at = end + 2;
    return number;
  };
  for (let left = line(); left > 0; left--) {
    const length = line();
    words.push(bytes.subarray(at, at + length));
    at += length + 2;
  }
  return words;
}
