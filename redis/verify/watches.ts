import type { Endpoint } from '../connection.js';
import { ErrorReply, type Command } from '../resp.js';
import { Pipe, type PipeOptions } from './pipe.js';

const NOTHING: Command[] = [['MULTI'], ['EXEC']];

/**
 * Tells whether a key was written to while it was looked at: WATCH before, and an EXEC of nothing afterwards, which is
 * answered with null where it was. An EXEC ends all that its connection watches, so each look has a connection of its own.
 */
export class Watches implements Disposable {
  /** The database whose keys are meant. */
  db = 0;
  #refused = false;
  readonly #all: Pipe[] = [];
  readonly #free: { pipe: Pipe; db: number }[] = [];

  constructor(
    private readonly endpoint: Endpoint,
    private readonly options: PipeOptions,
    /** Waits until the replica has all that the primary has. */
    readonly reach: () => Promise<void>,
  ) {}

  /**
   * True when `look` said so and nobody wrote to the key meanwhile; undefined, without a look, where the user may not WATCH.
   *
   * @throws what `look` throws; RolloutError Unreachable, Unauthorized or NodeHung
   */
  async untouched(key: Buffer, look: () => Promise<boolean>): Promise<boolean | undefined> {
    const { db } = this;
    const pipe = await this.#connection();
    if (!pipe) return undefined;
    const [watching] = await pipe.send([['WATCH', key]]);
    const said = watching instanceof ErrorReply ? undefined : await look();
    const [, clean] = await pipe.send(NOTHING);
    this.#free.push({ pipe, db });
    return said && Array.isArray(clean);
  }

  async #connection(): Promise<Pipe | undefined> {
    const { db } = this;
    if (this.#refused) return undefined;
    const free = this.#free.pop();
    const pipe = free?.pipe ?? (await Pipe.open(this.endpoint, this.options));
    if (!free) {
      this.#all.push(pipe);
      const [, nothing] = await pipe.send(NOTHING);
      this.#refused = !Array.isArray(nothing);
      if (this.#refused) return undefined;
    }
    if ((free?.db ?? 0) !== db) await pipe.ask('SELECT', db);
    return pipe;
  }

  [Symbol.dispose](): void {
    for (const pipe of this.#all) pipe[Symbol.dispose]();
  }
}
