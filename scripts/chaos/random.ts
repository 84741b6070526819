import { draws } from '../../model/random.js';

/** A stream of numbers that is the same for the same words, on every machine and release of Node. */
export class Random {
  /** From 0 to 1, 1 excluded. */
  readonly next: () => number;

  constructor(...words: readonly number[]) {
    // FNV-1a over the words, so that neighbouring runs of a seed have nothing in common.
    let hash = 0x811c9dc5;
    for (const word of words)
      for (const byte of [word, word >>> 8, word >>> 16, word >>> 24])
        hash = Math.imul(hash ^ (byte & 0xff), 0x01000193);
    this.next = draws(hash);
  }

  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** @throws RangeError when there is nothing to choose from */
  oneOf<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.next() * items.length)];
    if (item === undefined) throw new RangeError('nothing to choose from');
    return item;
  }
}
