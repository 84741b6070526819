import { DirtyKeys } from './dirty-keys.js';

const MOST = 1000;

/**
 * Keys that the standby can't hold, as far as they are known. An expiry that finds nothing there is no sign of a lost key.
 * Of very many, nobody keeps the names: then it is no sign for any key.
 */
export class Absent {
  readonly #names = new Set<string>();

  add(db: number, key: Buffer): void {
    if (this.#names.size < MOST) this.#names.add(DirtyKeys.nameOf(db, key));
  }

  /** It is there now. */
  delete(db: number, key: Buffer): void {
    if (this.#names.size > 0 && this.#names.size < MOST) this.#names.delete(DirtyKeys.nameOf(db, key));
  }

  has(db: number, key: Buffer): boolean {
    if (this.#names.size === 0) return false;
    return this.#names.size >= MOST || this.#names.has(DirtyKeys.nameOf(db, key));
  }
}
