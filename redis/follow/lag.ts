import type { NodeConnection } from '../connection.js';
import { readInfo } from '../node.js';

const EVERY_MS = 100;

/** Asks a primary how far it is, ten times a second, and knows since when a reader that is behind has been so. */
export class Lag implements Disposable {
  primaryOffset = 0;
  /** What was seen, by performance.now(), and not reached yet. */
  #seen: { offset: number; at: number }[] = [];
  #reached = 0;
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
    if (passed > 0) this.#seen.splice(0, passed);
  }

  get bytes(): number {
    return Math.max(0, this.primaryOffset - this.#reached);
  }
  get ms(): number {
    const [oldest] = this.#seen;
    return oldest ? Math.round(performance.now() - oldest.at) : 0;
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
      if (this.#seen.length > 1000) this.#seen = this.#seen.filter((_, i) => i % 2 === 0);
      this.onLook();
    } catch {
      // The stream tells of a link that is down.
    } finally {
      this.#asking = false;
    }
  }
}
