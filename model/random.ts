/** Numbers from 0 up to 1, without 1, that follow from a seed alone: mulberry32 (Tommy Ettinger, public domain). */
export function draws(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One of the items by its weight. @throws RangeError when there is nothing to choose from */
export function weighted<Item>(items: readonly Item[], weightOf: (item: Item) => number, draw: number): Item {
  let left = draw * items.reduce((sum, item) => sum + weightOf(item), 0);
  const found = items.find((item) => (left -= weightOf(item)) < 0) ?? items.at(-1);
  if (found === undefined) throw new RangeError('nothing to choose from');
  return found;
}
