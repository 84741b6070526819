/**
 * The compact forms in which servers keep small collections, each in one string: listpack.c, ziplist.c, zipmap.c and
 * intset.c of Redis. They are written to files and DUMPs as they are in memory.
 */
export interface Packed {
  /** The next element; undefined after the last one, once it is certain that the string ends there too. */
  next(): Buffer | undefined;
}

/** Makes the error for what is wrong. */
export type Fail = (what: string) => Error;

const END = 0xff;
const UNKNOWN_COUNT = 0xffff;

const textOf = (integer: number | bigint): Buffer => Buffer.from(String(integer), 'latin1');

function safe(integer: bigint): number | bigint {
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}

/** Four bytes of size, two of count, elements that are each followed by their own length, and 255. */
export class Listpack implements Packed {
  #at = 6;
  #left: number;
  readonly #counted: boolean;

  constructor(
    readonly bytes: Buffer,
    readonly fail: Fail,
  ) {
    if (bytes.length < 7 || bytes.readUInt32LE(0) !== bytes.length || bytes[bytes.length - 1] !== END)
      throw fail('a listpack has another size than it says');
    this.#left = bytes.readUInt16LE(4);
    this.#counted = this.#left !== UNKNOWN_COUNT;
  }

  next(): Buffer | undefined {
    const element = this.#read();
    return typeof element === 'number' || typeof element === 'bigint' ? textOf(element) : element;
  }

  /** The next element, which has to be an integer. */
  integer(): number | bigint {
    const element = this.#read();
    if (typeof element === 'number' || typeof element === 'bigint') return element;
    throw this.fail('a listpack has something else where a number has to be');
  }

  /** The next element, which has to be there. */
  element(): Buffer {
    const element = this.next();
    if (!element) throw this.fail('a listpack ends too early');
    return element;
  }

  #read(): Buffer | number | bigint | undefined {
    const { bytes } = this;
    const at = this.#at;
    const first = bytes[at] ?? END;
    if (first === END) {
      if (at !== bytes.length - 1) throw this.fail('a listpack ends before its size');
      if (this.#counted && this.#left !== 0) throw this.fail('a listpack has fewer elements than it says');
      return undefined;
    }
    if (this.#counted && --this.#left < 0) throw this.fail('a listpack has more elements than it says');
    if (first < 0x80) return this.#integer(1, first);
    if (first < 0xc0) return this.#string(1, first & 0x3f);
    if (first < 0xe0) return this.#integer(2, ((((first & 0x1f) << 8) | this.#byte(at + 1)) << 19) >> 19);
    if (first < 0xf0) return this.#string(2, ((first & 0x0f) << 8) | this.#byte(at + 1));
    switch (first) {
      case 0xf0:
        return this.#string(5, this.#within(5).readUInt32LE(at + 1));
      case 0xf1:
        return this.#integer(3, this.#within(3).readInt16LE(at + 1));
      case 0xf2:
        return this.#integer(4, this.#within(4).readIntLE(at + 1, 3));
      case 0xf3:
        return this.#integer(5, this.#within(5).readInt32LE(at + 1));
      case 0xf4:
        return this.#integer(9, safe(this.#within(9).readBigInt64LE(at + 1)));
      default:
        throw this.fail(`a listpack has an element of the unknown kind ${first}`);
    }
  }

  #byte(at: number): number {
    return this.bytes[at] ?? 0;
  }

  #within(size: number): Buffer {
    if (this.#at + size >= this.bytes.length) throw this.fail('an element of a listpack goes beyond its end');
    return this.bytes;
  }

  #integer<T>(size: number, value: T): T {
    this.#pass(size);
    return value;
  }

  #string(header: number, length: number): Buffer {
    const start = this.#at + header;
    this.#pass(header + length);
    return this.bytes.subarray(start, start + length);
  }

  /** Passes an element of `size` bytes and its length after it, which is there for reading backwards. */
  #pass(size: number): void {
    const back = size < 128 ? 1 : size < 16_383 ? 2 : size < 2_097_151 ? 3 : size < 268_435_455 ? 4 : 5;
    const end = this.#at + size + back;
    if (end >= this.bytes.length) throw this.fail('an element of a listpack goes beyond its end');
    if ((this.#byte(end - 1) & 0x7f) !== (size & 0x7f)) throw this.fail('an element of a listpack has two lengths');
    this.#at = end;
  }
}

/** Sizes of the whole and of all but the last element, a count, elements that follow the length of the one before, 255. */
export class Ziplist implements Packed {
  #at = 10;
  #before = 0;
  #left: number;
  readonly #counted: boolean;

  constructor(
    readonly bytes: Buffer,
    readonly fail: Fail,
  ) {
    if (bytes.length < 11 || bytes.readUInt32LE(0) !== bytes.length || bytes[bytes.length - 1] !== END)
      throw fail('a ziplist has another size than it says');
    this.#left = bytes.readUInt16LE(8);
    this.#counted = this.#left !== UNKNOWN_COUNT;
  }

  next(): Buffer | undefined {
    const { bytes } = this;
    const start = this.#at;
    if (bytes[start] === END) {
      if (start !== bytes.length - 1) throw this.fail('a ziplist ends before its size');
      if (this.#counted && this.#left !== 0) throw this.fail('a ziplist has fewer elements than it says');
      return undefined;
    }
    if (this.#counted && --this.#left < 0) throw this.fail('a ziplist has more elements than it says');
    const long = bytes[start] === 0xfe;
    const before = long ? this.#within(start, 5).readUInt32LE(start + 1) : (bytes[start] ?? 0);
    if (before !== this.#before) throw this.fail('an element of a ziplist has two lengths');
    const element = this.#element(start + (long ? 5 : 1));
    this.#before = this.#at - start;
    return element;
  }

  #element(at: number): Buffer {
    const first = this.#within(at, 1)[at] ?? 0;
    const second = this.bytes[at + 1] ?? 0;
    if (first < 0x40) return this.#string(at + 1, first);
    if (first < 0x80) return this.#string(at + 2, ((first & 0x3f) << 8) | second);
    if (first < 0xc0) return this.#string(at + 5, this.#within(at, 5).readUInt32BE(at + 1));
    const integer = this.#integer(at, first);
    return textOf(integer);
  }

  #integer(at: number, first: number): number | bigint {
    const size = ziplistIntegers[first];
    if (size === undefined) {
      if (first < 0xf1 || first > 0xfd) throw this.fail(`a ziplist has an element of the unknown kind ${first}`);
      this.#at = at + 1;
      return first - 0xf1;
    }
    const bytes = this.#within(at, 1 + size);
    this.#at = at + 1 + size;
    return size === 8 ? safe(bytes.readBigInt64LE(at + 1)) : bytes.readIntLE(at + 1, size);
  }

  #string(start: number, length: number): Buffer {
    this.#at = start + length;
    return this.#within(start, length).subarray(start, start + length);
  }

  #within(at: number, size: number): Buffer {
    if (at + size >= this.bytes.length) throw this.fail('an element of a ziplist goes beyond its end');
    return this.bytes;
  }
}

const ziplistIntegers: Readonly<Record<number, number>> = { 0xc0: 2, 0xd0: 4, 0xe0: 8, 0xf0: 3, 0xfe: 1 };

/** Hashes of releases before 2.6: a count, then names and values with their lengths, 255. */
export class Zipmap implements Packed {
  #at = 1;
  #value = false;

  constructor(
    readonly bytes: Buffer,
    readonly fail: Fail,
  ) {
    if (bytes.length < 2 || bytes[bytes.length - 1] !== END) throw fail('a zipmap has no end');
  }

  next(): Buffer | undefined {
    const { bytes } = this;
    const first = bytes[this.#at] ?? END;
    if (first === END) {
      if (this.#at !== bytes.length - 1 || this.#value) throw this.fail('a zipmap ends before its size');
      return undefined;
    }
    const long = first === 0xfe;
    if (long && this.#at + 5 >= bytes.length) throw this.fail('an element of a zipmap goes beyond its end');
    const length = long ? bytes.readUInt32LE(this.#at + 1) : first;
    // A value is followed by unused bytes, which are counted before it.
    const start = this.#at + (long ? 5 : 1) + (this.#value ? 1 : 0);
    const unused = this.#value ? (bytes[start - 1] ?? 0) : 0;
    this.#at = start + length + unused;
    if (this.#at >= bytes.length) throw this.fail('an element of a zipmap goes beyond its end');
    this.#value = !this.#value;
    return bytes.subarray(start, start + length);
  }
}

/** The size of each number, how many there are, and the numbers. */
export class Intset implements Packed {
  #at = 8;
  readonly #size: number;

  constructor(
    readonly bytes: Buffer,
    readonly fail: Fail,
  ) {
    this.#size = bytes.length < 8 ? 0 : bytes.readUInt32LE(0);
    if (![2, 4, 8].includes(this.#size) || 8 + this.#size * bytes.readUInt32LE(4) !== bytes.length)
      throw fail('a set of integers has another size than it says');
  }

  next(): Buffer | undefined {
    const [at, size] = [this.#at, this.#size];
    if (at >= this.bytes.length) return undefined;
    this.#at += size;
    return textOf(size === 8 ? safe(this.bytes.readBigInt64LE(at)) : this.bytes.readIntLE(at, size));
  }
}
