import type { StagingMask } from '../../model/staging-policy.js';
import type { Elements, Entry } from '../rdb/elements.js';
import { matches } from '../restore/selection.js';
import { maskedHyperLogLog } from './hyperloglog.js';
import { maskedKey } from './keys.js';
import { isNumber, maskedNumber } from './numbers.js';
import { LONG, Permutation } from './permutation.js';

const REMEMBERED = 20_000;

/**
 * Puts other bytes in the place of keys and values, as many of them and for the same always the same: numbers for numbers of
 * their width, and for what is different what is different. What says nothing of anybody by itself stays as it is: types,
 * how many elements there are, scores, ids of streams and expiries.
 */
export class Mask {
  readonly #permutation: Permutation;
  readonly #except: readonly Buffer[];
  /** Names of fields occur in every hash. */
  readonly #known = new Map<string, Buffer>();

  constructor(
    secret: Buffer,
    readonly parts: StagingMask,
  ) {
    this.#permutation = new Permutation(secret);
    this.#except = parts.except.map((it) => Buffer.from(it));
  }

  /** Is it copied as it is? */
  spares(key: Buffer): boolean {
    return this.#except.some((pattern) => matches(pattern, key));
  }

  key(key: Buffer): Buffer {
    if (!this.parts.keys || this.spares(key)) return key;
    let masked = key;
    do masked = maskedKey(masked, this.#permutation);
    while (this.spares(masked));
    return masked;
  }

  /** Is what it holds to be masked? */
  hides(key: Buffer): boolean {
    return this.parts.values && !this.spares(key);
  }

  /** What a key holds, or a piece of it. A module's is left to the caller: nobody knows what its bytes mean. */
  entry(entry: Entry): Entry {
    const { key, part } = entry;
    return { ...entry, key: this.key(key), part: this.hides(key) ? this.#part(part) : part };
  }

  #part(part: Elements): Elements {
    const all = (elements: readonly Buffer[]): Buffer[] => elements.map((it) => this.value(it));
    switch (part.type) {
      case 'string':
        return { ...part, value: maskedHyperLogLog(part.value, this.#permutation) ?? this.value(part.value) };
      case 'list':
      case 'set':
      case 'zset':
        return { ...part, elements: all(part.elements) };
      case 'hash': {
        const { elements, expiries } = part;
        const times = expiries?.map(({ field, at }) => ({ field: this.value(field), at }));
        return { type: 'hash', elements: all(elements), ...(times ? { expiries: times } : {}) };
      }
      case 'stream':
        if (part.piece === 'entries')
          return { ...part, entries: part.entries.map(({ id, fields }) => ({ id, fields: all(fields) })) };
        if (part.piece === 'group') return { ...part, group: { ...part.group, name: this.value(part.group.name) } };
        if (part.piece === 'consumer')
          return { ...part, group: this.value(part.group), consumer: this.value(part.consumer) };
        return part;
      case 'module':
        return part;
    }
  }

  /** Of any element, name of a field, group or consumer, and string. */
  value(bytes: Buffer): Buffer {
    if (bytes.length >= LONG)
      return maskedNumber(bytes, this.#permutation) ?? this.#permutation.long(bytes, bytes.length, 'value');
    const text = bytes.toString('latin1');
    let masked = this.#known.get(text);
    if (masked) return masked;
    masked = maskedNumber(bytes, this.#permutation) ?? this.#text(bytes);
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(text, masked);
    return masked;
  }

  /** What is no number becomes none. */
  #text(bytes: Buffer): Buffer {
    let masked = bytes;
    do masked = this.#permutation.short(masked, 'value');
    while (isNumber(masked));
    return masked;
  }
}
