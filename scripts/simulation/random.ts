import { draws } from '../../model/random.js';

/** Numbers that follow from a seed alone: the same seed, the same draws. */
export class Random {
  /** From 0 up to 1, without 1. */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = draws(seed);
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of the items by its weight. */
  weighted<Item>(items: readonly (readonly [Item, number])[]): Item | undefined {
    let left = this.next() * items.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [item, weight] of items) {
      left -= weight;
      if (left < 0) return item;
    }
    return items.at(-1)?.[0];
  }
}

/** A seed of its own for a part of a run: what one part draws doesn't shift what another draws. */
export function seedFor(seed: number, part: string): number {
  let hash = 2166136261 ^ seed;
  for (let at = 0; at < part.length; at++) hash = Math.imul(hash ^ part.charCodeAt(at), 16777619);
  return hash >>> 0;
}
