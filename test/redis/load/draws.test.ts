import { expect, test } from 'vitest';
import { assumedShape, keyTypes, playable, type LoadShape, type PlayableCommand } from '../../../model/load-shape.js';
import { draws } from '../../../model/random.js';
import { keySlot } from '../../../redis/probe/slot.js';
import { Draws } from '../../../redis/load/draws.js';
import { popularKey } from '../../../redis/load/popularity.js';

const DRAWN = 40_000;

const counts = <T>(from: () => T): Map<T, number> => {
  const seen = new Map<T, number>();
  for (let i = 0; i < DRAWN; i++) {
    const it = from();
    seen.set(it, (seen.get(it) ?? 0) + 1);
  }
  return seen;
};

test.each([0.5, 0.99, 1, 1.5])('of Zipf’s exponent %d, each key comes as often as the law says', (exponent) => {
  const keys = 1000;
  const seen = counts(popularKey({ kind: 'zipf', exponent }, keys, draws(7)));
  const weights = Array.from({ length: keys }, (_, i) => (i + 1) ** -exponent);
  const whole = weights.reduce((sum, it) => sum + it, 0);
  for (const rank of [0, 1, 2, 9, 99]) {
    const expected = (DRAWN * (weights[rank] ?? 0)) / whole;
    // Five standard deviations of a count.
    expect(Math.abs((seen.get(rank) ?? 0) - expected)).toBeLessThan(5 * Math.sqrt(expected) + 1);
  }
  expect([...seen.keys()].every((key) => key >= 0 && key < keys && Number.isInteger(key))).toBe(true);
});

test('a uniform popularity reaches every key, and none of them much more than others', () => {
  const seen = counts(popularKey({ kind: 'uniform' }, 100, draws(7)));
  expect(seen.size).toBe(100);
  expect(Math.max(...seen.values())).toBeLessThan(2 * Math.min(...seen.values()));
});

test('with one key all of it goes there', () => {
  expect([...counts(popularKey({ kind: 'zipf', exponent: 1 }, 1, draws(1))).keys()]).toEqual([0]);
});

test('the same seed plays the same commands at the same times, whatever their values', () => {
  const played = (): unknown[] => {
    const load = new Draws(assumedShape, 'p', 42);
    return Array.from({ length: 500 }, () => {
      const gap = load.gapMs();
      const { words, slot } = load.next();
      return [gap, words[0], words[1], slot, words.at(-1)?.length];
    });
  };
  expect(played()).toEqual(played());
  expect(new Draws(assumedShape, 'p', 43).gapMs()).not.toBe(new Draws(assumedShape, 'p', 42).gapMs());
});

test('the mix, the rate and the sizes come out as the shape says', () => {
  const shape: LoadShape = {
    ...assumedShape,
    commands: [
      { name: 'get', share: 0.7 },
      { name: 'set', share: 0.3 },
    ],
    readShare: 0.7,
    valueSizes: [
      { upTo: 10, share: 0.5 },
      { upTo: 1000, share: 0.5 },
    ],
    ratePerSecond: 2000,
  };
  const load = new Draws(shape, 'p', 1);
  const sizes: number[] = [];
  let [reads, ms] = [0, 0];
  for (let i = 0; i < DRAWN; i++) {
    ms += load.gapMs();
    const { words, class: of } = load.next();
    if (of === 'string read') reads++;
    else sizes.push(words[2]?.length ?? 0);
  }
  expect(reads / DRAWN).toBeCloseTo(0.7, 1);
  expect(DRAWN / (ms / 1000)).toBeGreaterThan(1900);
  expect(DRAWN / (ms / 1000)).toBeLessThan(2100);
  expect(sizes.filter((it) => it <= 10).length / sizes.length).toBeCloseTo(0.5, 1);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1000);
  expect(Math.min(...sizes)).toBeGreaterThanOrEqual(1);
});

test('of every command that can be played the key is of its own type, in its slot, under the prefix', () => {
  const names = Object.keys(playable) as PlayableCommand[];
  const shape = { ...assumedShape, commands: names.map((name) => ({ name, share: 1 / names.length })) };
  const load = new Draws(shape, 'staging-load', 3);
  const seen = new Set<string>();
  for (let i = 0; i < DRAWN; i++) {
    const { words, slot, class: of } = load.next();
    const [name, key = ''] = words;
    seen.add(name.toLowerCase());
    expect(key.startsWith(`staging-load:${of.replace(/ (read|write)$/, '').replace(' ', '-')}:key:`)).toBe(true);
    expect(slot).toBe(keySlot(key));
  }
  expect([...seen].sort()).toEqual([...names, 'ltrim'].sort());
  expect(new Set([...load.fill()].map(({ words }) => words[1]?.split(':')[1])).size).toBe(keyTypes.length);
});
