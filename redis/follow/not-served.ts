/** So often a command that is not served where it should be is tried again. */
const PASSES = 8;

/**
 * Commands of the stream that the standby said it doesn't serve, by the offset after them. What has to do with its slots has
 * passed by the time that they were imported anew, as each connection sees to. What still comes back then has to do with the
 * command's keys, and would come back for ever.
 */
export class NotServed {
  readonly #times = new Map<number, number>();

  /** Another time; true where that is no longer in passing. */
  hasLasted(offset: number): boolean {
    const times = (this.#times.get(offset) ?? 0) + 1;
    this.#times.set(offset, times);
    return times > PASSES;
  }

  /** All up to there was applied. */
  forgetUpTo(offset: number): void {
    for (const it of this.#times.keys()) if (it <= offset) this.#times.delete(it);
  }
}
