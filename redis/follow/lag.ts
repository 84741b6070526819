import type { NodeConnection } from '../connection.js';
import { readInfo } from '../node.js';

const EVERY_MS = 100;

/** Asks a primary how far it is, ten times a second, and knows since when a reader that is behind has been so. */
export class Lag implements Disposable {
  primaryOffset = 0;
  /** What was seen, by performance.now(), and not reached yet. */
  #seen: { offset: number; at: number }[] = [];
  #reached = 0;
  /** How long the latest of it took to be reached. */
  #took = 0;
  readonly #timer: NodeJS.Timeout;
  #asking = false;

  constructor(
    private readonly primary: NodeConnection,
    private readonly onLook: () => void,
  ) {
    this.#timer = setInterval(() => void this.#look(), EVERY_MS);
    void this.#look();
  }

  reached(offset: number): void {
    this.#reached = offset;
    let passed = 0;
    while (passed < this.#seen.length && (this.#seen[passed]?.offset ?? 0) <= offset) passed++;
    const last = this.#seen[passed - 1];
    if (last) this.#took = performance.now() - last.at;
    this.#seen.splice(0, passed);
  }

  get bytes(): number {
    return Math.max(0, this.primaryOffset - this.#reached);
  }
  /** Since when the reader hasn't what the primary had, or for how long it was so at the last look; 0 where it had it by then. */
  get ms(): number {
    const [oldest] = this.#seen;
    return Math.ceil(Math.max(this.#took, oldest ? performance.now() - oldest.at : 0));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      const info = await readInfo(this.primary, 'replication');
      const offset = Number(info['master_repl_offset']);
      this.primaryOffset = offset;
      // Sampled less and less densely, so that a lag of hours takes no memory.
      if (offset > this.#reached) this.#seen.push({ offset, at: performance.now() });
      else this.#took = 0;
      if (this.#seen.length > 1000) this.#seen = this.#seen.filter((_, i) => i % 2 === 0);
      this.onLook();
    } catch {
      // The stream tells of a link that is down.
    } finally {
      this.#asking = false;
    }
  }
}
