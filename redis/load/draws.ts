import { randomBytes } from 'node:crypto';
import {
  mixOf,
  playable,
  type CommandClass,
  type KeyType,
  type LoadShape,
  type Played,
} from '../../model/load-shape.js';
import { draws, weighted } from '../../model/random.js';
import { keySlot } from '../probe/slot.js';
import { ELEMENTS, filled, makers, trimmed, type Words } from './commands.js';
import { popularKey } from './popularity.js';

/** One of so many pushes trims its list in its place. */
const TRIM_EVERY = 16;

export interface Drawn {
  words: Words;
  slot: number;
  class: CommandClass;
}

/**
 * Commands and their times, as a shape says: what is drawn follows from the seed, so that the same load can be played
 * before and after. Keys have a prefix of their own, so that nothing else is ever written to.
 */
export class Draws {
  readonly #draw: () => number;
  readonly #mix: Played[];
  readonly #types: { type: KeyType; keys: number; popular: () => number }[];
  readonly #bytes: string;
  /** What is played otherwise than the shape says. */
  readonly notes: string[];

  constructor(
    private readonly shape: LoadShape,
    private readonly prefix: string,
    seed: number,
  ) {
    this.#draw = draws(seed);
    const { mix, replaced } = mixOf(shape);
    this.#mix = mix;
    this.notes = replaced.map(
      ({ name, share }) =>
        `${name}, ${(share * 100).toFixed(1)} % of the commands, can't be played: others of its kind took its place`,
    );
    const typeOf = ({ name }: Played): KeyType => playable[name].replace(/ (read|write)$/, '') as KeyType;
    const { count, popularity } = shape.keys;
    this.#types = [...new Set(mix.map(typeOf))].map((type) => {
      const share = mix.reduce((sum, it) => sum + (typeOf(it) === type ? it.share : 0), 0);
      const keys = Math.max(1, Math.round(count * share));
      return { type, keys, popular: popularKey(popularity, keys, this.#draw) };
    });
    // Nothing compresses it, and no two values are alike.
    const longest = shape.valueSizes.at(-1)?.upTo ?? 1;
    this.#bytes = randomBytes(Math.ceil(longest * 0.75) + 49_152).toString('base64');
  }

  get keys(): number {
    return this.#types.reduce((sum, { keys }) => sum + keys, 0);
  }

  /** What has to be there before the load begins: one command a key. */
  *fill(): Generator<{ words: Words; slot: number }> {
    for (const { type, keys } of this.#types)
      for (let n = 0; n < keys; n++) {
        const key = this.#key(type, n);
        yield { words: filled[type](this.#parts(key)), slot: keySlot(key) };
      }
  }

  *allKeys(): Generator<{ words: Words; slot: number }> {
    for (const { type, keys } of this.#types)
      for (let n = 0; n < keys; n++) {
        const key = this.#key(type, n);
        yield { words: ['DEL', key], slot: keySlot(key) };
      }
  }

  /** ms until the next command: many clients that know nothing of each other make a Poisson process. */
  gapMs(): number {
    return (-Math.log(1 - this.#draw()) / this.shape.ratePerSecond) * 1000;
  }

  next(): Drawn {
    const { name } = weighted(this.#mix, ({ share }) => share, this.#draw());
    const type = playable[name].replace(/ (read|write)$/, '') as KeyType;
    const key = this.#key(type, this.#types.find((it) => it.type === type)?.popular() ?? 0);
    const pushes = name === 'lpush' || name === 'rpush';
    const words = pushes && this.#draw() * TRIM_EVERY < 1 ? trimmed(key) : makers[name](this.#parts(key));
    return { words, slot: keySlot(key), class: playable[name] };
  }

  #key(type: KeyType, n: number): string {
    return `${this.prefix}:${type.replace(' ', '-')}:${this.shape.keys.pattern.replace('*', String(n))}`;
  }

  #parts(key: string) {
    const element = Math.floor(this.#draw() * ELEMENTS);
    return { key, element, value: () => this.#value(1), piece: () => this.#value(ELEMENTS) };
  }

  #value(parts: number): string {
    const { valueSizes } = this.shape;
    const size = weighted(valueSizes, ({ share }) => share, this.#draw());
    const above = valueSizes[valueSizes.indexOf(size) - 1]?.upTo ?? 0;
    const bytes = Math.max(1, Math.round((above + this.#draw() * (size.upTo - above)) / parts));
    const from = Math.floor(this.#draw() * (this.#bytes.length - bytes));
    return this.#bytes.slice(from, from + bytes);
  }
}
