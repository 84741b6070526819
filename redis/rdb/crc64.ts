/**
 * CRC-64/Redis: Jones' polynomial 0xad93d23594c935a9, reflected, no initial value and no final XOR (crc64.c of Redis).
 * JavaScript has no fast 64-bit integer, so both halves are kept as 32-bit numbers and eight bytes are taken at once
 * ("slicing by 8"): with BigInt this loop would be slower than the disk and the network.
 */
export class Crc64 {
  #low = 0;
  #high = 0;

  update(bytes: Uint8Array): this {
    let low = this.#low;
    let high = this.#high;
    const end = bytes.length;
    const sliced = end - (end % 8);
    let i = 0;
    for (; i < sliced; i += 8) {
      const l = low ^ word(bytes, i);
      const h = high ^ word(bytes, i + 4);
      // Table k (at k × 256) holds what a byte does that is followed by k more bytes.
      const a = 1792 + (l & 255);
      const b = 1536 + ((l >>> 8) & 255);
      const c = 1280 + ((l >>> 16) & 255);
      const d = 1024 + (l >>> 24);
      const e = 768 + (h & 255);
      const f = 512 + ((h >>> 8) & 255);
      const g = 256 + ((h >>> 16) & 255);
      const k = h >>> 24;
      low =
        at(lows, a) ^ at(lows, b) ^ at(lows, c) ^ at(lows, d) ^ at(lows, e) ^ at(lows, f) ^ at(lows, g) ^ at(lows, k);
      high =
        at(highs, a) ^
        at(highs, b) ^
        at(highs, c) ^
        at(highs, d) ^
        at(highs, e) ^
        at(highs, f) ^
        at(highs, g) ^
        at(highs, k);
    }
    for (; i < end; i++) {
      const index = (low ^ at(bytes, i)) & 255;
      low = ((low >>> 8) | (high << 24)) ^ at(lows, index);
      high = (high >>> 8) ^ at(highs, index);
    }
    this.#low = low;
    this.#high = high;
    return this;
  }

  /** Its eight bytes as a DUMP ends with them. */
  writeTo(buffer: Buffer, at: number): void {
    buffer.writeInt32LE(this.#low, at);
    buffer.writeInt32LE(this.#high, at + 4);
  }

  /** Sixteen hex digits, most significant first. */
  hex(): string {
    return hex(this.#high) + hex(this.#low);
  }
}

// The index is always in range, which `noUncheckedIndexedAccess` can't know.
const at = (numbers: Uint8Array | Int32Array, index: number): number => numbers[index] as number;
const word = (bytes: Uint8Array, i: number): number =>
  at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16) | (at(bytes, i + 3) << 24);
const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, '0');

const lows = new Int32Array(8 * 256);
const highs = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let low = byte;
  let high = 0;
  for (let bit = 0; bit < 8; bit++) {
    const carry = low & 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (carry === 1) {
      // The polynomial with its bits reversed: 0x95ac9329ac4bc9b5.
      low ^= 0xac4bc9b5;
      high ^= 0x95ac9329;
    }
  }
  lows[byte] = low;
  highs[byte] = high;
}
for (let i = 256; i < 8 * 256; i++) {
  const low = at(lows, i - 256);
  const high = at(highs, i - 256);
  lows[i] = ((low >>> 8) | (high << 24)) ^ at(lows, low & 255);
  highs[i] = (high >>> 8) ^ at(highs, low & 255);
}
