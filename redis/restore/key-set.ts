/** Of the places of the table, at most so many are taken. */
const LOAD = 0.6;

/**
 * Which keys there are, by 64 bits of a hash of each: some 14 to 28 bytes a key, whatever its length. One that was added is
 * always found; one that was not is taken for another once in 2^64 times for each that was.
 */
export class KeySet {
  #table = new Uint32Array(2 * 1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add([a, b]: KeyHash): void {
    const at = place(this.#table, a, b);
    if (this.#table[at + 1] !== 0) return;
    this.#table[at] = a;
    this.#table[at + 1] = b;
    if (++this.#size > (LOAD * this.#table.length) / 2) this.#grow();
  }

  has([a, b]: KeyHash): boolean {
    return this.#table[place(this.#table, a, b) + 1] !== 0;
  }

  #grow(): void {
    const larger = new Uint32Array(2 * this.#table.length);
    for (let at = 0; at < this.#table.length; at += 2) {
      const [a = 0, b = 0] = [this.#table[at], this.#table[at + 1]];
      if (b === 0) continue;
      const to = place(larger, a, b);
      larger[to] = a;
      larger[to + 1] = b;
    }
    this.#table = larger;
  }
}

/** Two halves of a hash, of which the second is never 0. */
export type KeyHash = readonly [number, number];

/** cyrb53 of bryc (public domain), with both halves kept whole. */
export function hashOf(key: Buffer): KeyHash {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (const byte of key) {
    a = Math.imul(a ^ byte, 2654435761);
    b = Math.imul(b ^ byte, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return [a >>> 0, b >>> 0 || 1];
}

/** Where it is in a table of halves, or the free place where it would be. */
function place(table: Uint32Array, a: number, b: number): number {
  const mask = table.length / 2 - 1;
  for (let slot = a & mask; ; slot = (slot + 1) & mask) {
    const at = slot * 2;
    const second = table[at + 1];
    if (second === 0 || (second === b && table[at] === a)) return at;
  }
}
