import { RolloutError } from '../../model/failures.js';
import { connect, type Endpoint } from '../connection.js';

/** Which attempt at which shard's load this is; each later one has a greater epoch. */
export interface Attempt {
  shard: string;
  epoch: number;
  /** How long nothing may be heard of it until another attempt is begun, ms. */
  missedAfterMs: number;
}

const NAME = 'redis-rollout-restores:';

export const nameOf = ({ shard, epoch }: Pick<Attempt, 'shard' | 'epoch'>): string => `${NAME}${shard}:${epoch}`;

/**
 * Closes what earlier attempts at the same shard left open at a node: one that was frozen and wakes up finds itself shut
 * out. Called once this attempt's own connection bears its name, so that of two one is always seen by the other.
 *
 * @throws RolloutError Fenced where a later attempt is there
 */
export async function takeOver(endpoint: Endpoint, { shard, epoch }: Pick<Attempt, 'shard' | 'epoch'>): Promise<void> {
  await using node = await connect(endpoint);
  for (const line of String(await node.call('CLIENT', 'LIST')).split('\n')) {
    const name = /\bname=(\S*)/.exec(line)?.[1] ?? '';
    if (!name.startsWith(`${NAME}${shard}:`)) continue;
    const other = Number(name.slice(name.lastIndexOf(':') + 1));
    if (other > epoch)
      throw new RolloutError('Fenced', `${node.address}: a later attempt loads ${shard}, this one stands back`);
    if (other === epoch) continue;
    const id = /\bid=(\d+)/.exec(line)?.[1] ?? '';
    // It may have ended by itself in between.
    await node.call('CLIENT', 'KILL', 'ID', id).catch((error: unknown) => {
      if (error instanceof RolloutError) throw error;
    });
  }
}

/** What was heard of it last may be some seconds old when it stands still: another attempt may begin that much sooner. */
const STILL = 0.6;
const TICK_MS = 500;

/** Notices that this process stood still for so long that its work may have been given to another. */
export class Lease implements Disposable {
  readonly #stillMs: number;
  #last = performance.now();
  #lost = false;
  readonly #timer = setInterval(() => {
    this.#look();
    this.#last = performance.now();
  }, TICK_MS);

  constructor({ missedAfterMs }: Pick<Attempt, 'missedAfterMs'>) {
    this.#stillMs = STILL * missedAfterMs;
  }

  /** Before each write. @throws RolloutError NodeHung */
  readonly expect = (): void => {
    this.#look();
    if (this.#lost)
      throw new RolloutError(
        'NodeHung',
        `this worker stood still for ${this.#stillMs / 1000} s: another attempt goes on`,
      );
  };

  #look(): void {
    if (performance.now() - this.#last > this.#stillMs) this.#lost = true;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
