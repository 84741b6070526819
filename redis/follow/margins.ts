import { SLOTS, type SlotRange } from '../../model/topology.js';
import { crc16 } from '../probe/slot.js';
import { EXPIRY_MARGIN_MS } from '../standby/point.js';

/** The hash slot of a key of any bytes. */
export function slotOf(key: Buffer): number {
  const open = key.indexOf(0x7b);
  const close = open < 0 ? -1 : key.indexOf(0x7d, open + 1);
  return crc16(close > open + 1 ? key.subarray(open + 1, close) : key) % SLOTS;
}

/** By how much later a key's expiry is written: by slot, since a cutover has them set right slot by slot. */
export class Margins {
  readonly #exact = new Uint8Array(SLOTS);
  #count = 0;
  #ms: number;

  constructor(exact: readonly SlotRange[], exactMs: number) {
    this.#ms = exactMs;
    for (const [from, to] of exact) for (let slot = from; slot <= to; slot++) this.set(slot, true);
  }

  /** How many slots carry the small margin. */
  get count(): number {
    return this.#count;
  }
  /** The small margin, ms. */
  get exactMs(): number {
    return this.#ms;
  }
  /** The least that any key has. */
  get leastMs(): number {
    return this.#count > 0 ? this.#ms : EXPIRY_MARGIN_MS;
  }

  isExact = (slot: number): boolean => this.#exact[slot] === 1;

  /** Another small margin; only while no slot carries one. */
  choose(ms: number): void {
    this.#ms = ms;
  }

  set(slot: number, exact: boolean): void {
    if (this.isExact(slot) === exact) return;
    this.#exact[slot] = exact ? 1 : 0;
    this.#count += exact ? 1 : -1;
  }

  of = (key: Buffer): number => (this.#count > 0 && this.isExact(slotOf(key)) ? this.#ms : EXPIRY_MARGIN_MS);

  ranges(): SlotRange[] {
    const out: SlotRange[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      if (!this.isExact(slot)) continue;
      const last = out.at(-1);
      if (last?.[1] === slot - 1) last[1] = slot;
      else out.push([slot, slot]);
    }
    return out;
  }
}
