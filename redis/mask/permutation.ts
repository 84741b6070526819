import { createCipheriv, createHmac } from 'node:crypto';

/** What is drawn for one purpose has nothing to do with what is drawn for another. */
export type Purpose = 'value' | 'number' | 'key' | 'tag' | 'before the tag' | 'behind the tag';
const purposes: readonly Purpose[] = ['value', 'number', 'key', 'tag', 'before the tag', 'behind the tag'];

/** From so many bytes on, what stands for a string is drawn from a hash of it. Shorter ones are permuted: no two become one. */
export const LONG = 16;
const BLOCK = 16;
const ROUNDS = 8;
const PIECE_BYTES = 1024 * 1024;

/** Keyed bijections of strings of a length, and of numbers of a range: the same for the same secret. */
export class Permutation {
  readonly #hashKey: Buffer;
  readonly #blocks;
  readonly #block = Buffer.alloc(BLOCK);

  constructor(secret: Buffer) {
    const derive = (label: string): Buffer => createHmac('sha256', secret).update(label).digest();
    this.#hashKey = derive('hash');
    this.#blocks = createCipheriv('aes-256-ecb', derive('blocks'), null).setAutoPadding(false);
  }

  /**
   * Of a string of less than LONG bytes, another of its length: a Feistel network, whose rounds are AES.
   *
   * @param tweak two bytes: another bijection for each
   */
  short(bytes: Buffer, purpose: Purpose, tweak = 0): Buffer {
    const { length } = bytes;
    if (length === 0) return bytes;
    const block = this.#begin(purpose, length, tweak);
    if (length === 1) {
      const both = bytes[0] ?? 0;
      const [left, right] = this.#halves(block, both >> 4, both & 15, 15);
      return Buffer.from([(left << 4) | right]);
    }
    const out = Buffer.from(bytes);
    const half = length >> 1;
    const parts = [out.subarray(0, half), out.subarray(half)] as const;
    for (let round = 0; round < ROUNDS; round++) {
      const to = parts[round % 2 === 0 ? 0 : 1];
      const from = parts[round % 2 === 0 ? 1 : 0];
      block.fill(0, 5);
      block[4] = round;
      from.copy(block, 5);
      const drawn = this.#blocks.update(block);
      for (let i = 0; i < to.length; i++) to[i] = (to[i] ?? 0) ^ (drawn[i] ?? 0);
    }
    return out;
  }

  /** Of a number from `least` to `most`, another one of these. */
  within(number: bigint, least: bigint, most: bigint): bigint {
    const count = most - least + 1n;
    const bits = Math.max(1, Math.ceil((count - 1n).toString(2).length / 2));
    const block = this.#begin('number', bits, 0);
    block.writeBigInt64LE(least, 8);
    const mask = 2 ** bits - 1;
    const wide = BigInt(bits);
    let at = number - least;
    // What leaves the range is permuted on: it comes back, and no two to the same place.
    do {
      const [left, right] = this.#halves(block, Number(at >> wide), Number(at & BigInt(mask)), mask);
      at = (BigInt(left) << wide) | BigInt(right);
    } while (at >= count);
    return least + at;
  }

  /** So many bytes that only this string has, of this purpose. @param attempt others for each */
  long(bytes: Buffer, length: number, purpose: Purpose, attempt = 0): Buffer {
    const about = Buffer.from([purposes.indexOf(purpose), attempt]);
    const hash = createHmac('sha256', this.#hashKey).update(about).update(bytes).digest();
    return this.#stream(hash, length);
  }

  /** What decides on an order: as many numbers as asked, each below the one after the last. */
  *draws(bytes: Buffer, count: number): Generator<number, void, void> {
    const drawn = this.long(bytes, 4 * count, 'value', 1);
    for (let i = 0; i < count; i++) yield drawn.readUInt32LE(4 * i);
  }

  #begin(purpose: Purpose, length: number, tweak: number): Buffer {
    const block = this.#block.fill(0);
    block[0] = purposes.indexOf(purpose);
    block[1] = length;
    block.writeUInt16LE(tweak, 2);
    return block;
  }

  /** Two numbers of as many bits as the mask. What else the block has in its bytes 1 to 3 and from 8 on is a tweak. */
  #halves(block: Buffer, a: number, b: number, mask: number): [number, number] {
    let [left, right] = [a, b];
    for (let round = 0; round < ROUNDS; round++) {
      block[0] = ((block[0] ?? 0) & 15) | (round << 4);
      block.writeUInt32LE(right, 4);
      const drawn = this.#blocks.update(block).readUInt32LE(0) & mask;
      [left, right] = [right, (left ^ drawn) >>> 0];
    }
    return [left, right];
  }

  #stream(hash: Buffer, length: number): Buffer {
    const out = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; at += PIECE_BYTES) {
      const size = Math.min(PIECE_BYTES, length - at);
      const blocks = Buffer.allocUnsafe(Math.ceil(size / BLOCK) * BLOCK);
      for (let i = 0; i < blocks.length; i += BLOCK) {
        hash.copy(blocks, i, 0, 12);
        blocks.writeUInt32LE((at + i) / BLOCK, i + 12);
      }
      this.#blocks.update(blocks).copy(out, at, 0, size);
    }
    return out;
  }
}
