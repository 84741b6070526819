import type { PendingEntry } from './elements.js';

const RECORD = 28;

/** What is pending in a group, by id: as it comes, in order, in one buffer, for there may be millions. */
export class PendingIndex {
  #records = Buffer.alloc(16 * RECORD);
  #count = 0;
  /** Delivery counts that 32 bits don't hold, by position. */
  readonly #huge = new Map<number, bigint>();

  /** @param fixed 16 bytes of id, 8 of time. @returns false unless it comes after the one before */
  add(fixed: Buffer, deliveries: number | bigint): boolean {
    const at = this.#count * RECORD;
    if (at > 0 && fixed.compare(this.#records, at - RECORD, at - RECORD + 16, 0, 16) <= 0) return false;
    if (at === this.#records.length) this.#records = Buffer.concat([this.#records, Buffer.alloc(at)]);
    fixed.copy(this.#records, at);
    if (deliveries > 0xffff_ffff) this.#huge.set(this.#count, BigInt(deliveries));
    else this.#records.writeUInt32LE(Number(deliveries), at + 24);
    this.#count++;
    return true;
  }

  find(id: Buffer): PendingEntry | undefined {
    const records = this.#records;
    for (let low = 0, high = this.#count - 1; low <= high;) {
      const middle = (low + high) >>> 1;
      const at = middle * RECORD;
      const order = id.compare(records, at, at + 16);
      if (order === 0)
        return {
          id: `${records.readBigUInt64BE(at)}-${records.readBigUInt64BE(at + 8)}`,
          deliveredAt: records.readInt32LE(at + 20) * 0x1_0000_0000 + records.readUInt32LE(at + 16),
          deliveries: String(this.#huge.get(middle) ?? records.readUInt32LE(at + 24)),
        };
      if (order < 0) high = middle - 1;
      else low = middle + 1;
    }
    return undefined;
  }
}
