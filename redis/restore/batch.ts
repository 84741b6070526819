import { CommandWriter } from '../command-writer.js';

/** Commands on their way to one node, written into one buffer as they are made: a key is to cost a microsecond. */
export class Batch extends CommandWriter {
  /** Where each write ends, the replies that it gets, and its slot. */
  readonly ends: number[] = [];
  readonly dues: number[] = [];
  readonly slots: number[] = [];

  constructor() {
    super(SIZE);
  }

  get full(): boolean {
    return this.length >= FULL || this.ends.length >= MOST;
  }
  get empty(): boolean {
    return this.ends.length === 0;
  }

  /** The bytes of one write, from the first to the last of its commands. A copy. */
  write(index: number): Buffer {
    return Buffer.from(this.bytes.subarray(index === 0 ? 0 : this.ends[index - 1], this.ends[index]));
  }

  /** What was written since the last `end` belongs together. */
  end(due: number, slot: number): void {
    this.ends.push(this.length);
    this.dues.push(due);
    this.slots.push(slot);
  }

  /** A write that was taken out of another batch. */
  again({ bytes, due, slot }: Write): void {
    this.raw(bytes);
    this.end(due, slot);
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
