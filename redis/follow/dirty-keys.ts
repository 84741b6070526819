import type { KeyCopy } from './tools.js';

export interface DirtyKey {
  readonly name: string;
  readonly db: number;
  readonly key: Buffer;
  /** `dirty`: to be asked for. `copying`: asked for. `ready`: the copy waits for the stream to reach its offset. */
  state: 'dirty' | 'copying' | 'ready';
  copy: KeyCopy | undefined;
  /** Margin of expiry that the copy was made with. */
  marginMs: number;
  /** Resolves when it is no longer `copying`; never rejects. */
  answered: Promise<void> | undefined;
  /** Not asked for before, by performance.now(). */
  notBefore: number;
  failures: number;
}

/** Which of some keys were added meanwhile. */
export interface Watch extends Disposable {
  readonly added: ReadonlySet<string>;
}

/** Keys whose value at the standby is not to be relied on. */
export class DirtyKeys {
  readonly #keys = new Map<string, DirtyKey>();
  readonly #watches = new Set<{ names: ReadonlySet<string>; added: Set<string> }>();

  get size(): number {
    return this.#keys.size;
  }

  static nameOf = (db: number, key: Buffer): string => `${db}:${key.toString('latin1')}`;

  has = (db: number, key: Buffer): boolean => this.#keys.has(DirtyKeys.nameOf(db, key));
  get = (db: number, key: Buffer): DirtyKey | undefined => this.#keys.get(DirtyKeys.nameOf(db, key));
  values = (): IterableIterator<DirtyKey> => this.#keys.values();

  /** Undefined where it was dirty already. */
  add(db: number, key: Buffer, notBefore = 0): DirtyKey | undefined {
    const name = DirtyKeys.nameOf(db, key);
    if (this.#keys.has(name)) return undefined;
    const it: DirtyKey = {
      name,
      db,
      // A copy: it must not keep all that it came with alive.
      key: Buffer.from(key),
      state: 'dirty',
      copy: undefined,
      marginMs: 0,
      answered: undefined,
      notBefore,
      failures: 0,
    };
    this.#keys.set(name, it);
    for (const { names, added } of this.#watches) if (names.has(name)) added.add(name);
    return it;
  }

  watch(names: readonly string[]): Watch {
    const watch = { names: new Set(names), added: new Set<string>() };
    this.#watches.add(watch);
    return { added: watch.added, [Symbol.dispose]: () => this.#watches.delete(watch) };
  }

  /** The dirty ones among those. */
  among = (db: number, keys: readonly Buffer[]): DirtyKey[] => keys.flatMap((key) => this.get(db, key) ?? []);

  delete(it: DirtyKey): void {
    this.#keys.delete(it.name);
  }

  /** What was copied from one primary says nothing about the next one's stream. */
  forgetCopies(): void {
    for (const it of this.#keys.values()) {
      it.state = 'dirty';
      it.copy = undefined;
    }
  }
}
