import { RolloutError } from '../../model/failures.js';
import { addressOf } from '../connection.js';
import { encode, ErrorReply, textOf, type Reply } from '../resp.js';
import type { Batch } from './batch.js';
import type { NotServed } from './not-served.js';
import { isNotServed, isPassing } from './passing.js';
import { refused, type StandbyLink } from './standby-link.js';

export interface Landed {
  batch: Batch;
  /** The margin of expiry that somebody asked for, ms. */
  wantedMs: number | undefined;
}

/** A command that failed at the standby, which is none of the standby's fault. */
export class CommandFailed extends Error {
  constructor(
    /** Offset after the command; or the name of the key whose copy it was part of. */
    readonly owner: number | string | undefined,
    readonly reply: string,
  ) {
    super(`a command failed at the standby: ${reply}`);
  }
}

/** The standby isn't where the batch begins: somebody else has moved it, or an earlier batch did not arrive. */
export class Elsewhere extends Error {}

export interface FlightsInput {
  link: StandbyLink;
  recordKey: Buffer;
  sha: string;
  /** As the record has them. */
  step: number;
  replid: string;
  asking: boolean;
  /** How often each copy was refused by the standby, by name; kept over several connections. */
  refusedCopies: Map<string, number>;
  /** Kept over several connections, too. */
  notServed: NotServed;
}

const AT_ONCE = 8;
const BYTES_AT_ONCE = 4 << 20;
const WAITING_AT_MOST = 4;

/** Batches on their way to the standby, several at a time, each beginning where the one before it ends. */
export class Flights {
  onLanded: (landed: Landed) => void = () => undefined;
  readonly #in: FlightsInput;
  #step: number;
  #replid: string;
  #count = 0;
  #bytes = 0;
  #broken: Error | undefined;
  readonly #waiting: Batch[] = [];
  #wake: (() => void)[] = [];

  constructor(input: FlightsInput) {
    this.#in = input;
    this.#step = input.step;
    this.#replid = input.replid;
  }

  get count(): number {
    return this.#count + this.#waiting.length;
  }
  get isFree(): boolean {
    return this.#waiting.length === 0 && this.#count < AT_ONCE && (this.#count === 0 || this.#bytes < BYTES_AT_ONCE);
  }
  get refusedCopies(): ReadonlyMap<string, number> {
    return this.#in.refusedCopies;
  }
  get broken(): Error | undefined {
    return this.#broken;
  }

  send(batch: Batch): void {
    if (this.#broken) return;
    this.#waiting.push(batch);
    this.#next();
  }

  /**
   * Undefined while more may be sent; else settles when it may.
   *
   * @throws what broke them
   */
  room(): Promise<void> | undefined {
    if (this.#broken) throw this.#broken;
    if (this.#waiting.length < WAITING_AT_MOST) return undefined;
    return this.#landing().then(() => this.room());
  }

  /** A command outside of any batch. The server's refusal, unless that is the standby's state: then it is thrown. */
  async byItself(command: readonly Buffer[]): Promise<string | undefined> {
    const { link } = this.#in;
    const [name = Buffer.alloc(0), ...args] = command;
    const [reply] = await link.send(
      [encode([[name.toString('latin1').toUpperCase(), ...args]], link.endpoint.commands)],
      1,
    );
    if (!(reply instanceof ErrorReply)) return undefined;
    if (isPassing(reply.message)) throw refused(addressOf(link.endpoint), reply.message);
    return reply.message.slice(0, 100);
  }

  /** All that was sent has landed. @throws what broke them */
  async settled(): Promise<void> {
    while (this.count > 0 && !this.#broken) await this.#landing();
    if (this.#broken) throw this.#broken;
  }

  /** Rejects when they break; never settles otherwise. */
  async untilBroken(): Promise<never> {
    for (;;) {
      if (this.#broken) throw this.#broken;
      await this.#landing();
    }
  }

  #landing(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #next(): void {
    while (!this.#broken && this.#waiting.length > 0) {
      if (this.#count >= AT_ONCE || (this.#count > 0 && this.#bytes >= BYTES_AT_ONCE)) return;
      const batch = this.#waiting.shift();
      if (batch) this.#write(batch);
    }
  }

  #write(batch: Batch): void {
    const { link, recordKey, sha, asking } = this.#in;
    const { commands = {} } = link.endpoint;
    const parts = batch.encode({
      record: recordKey,
      sha,
      step: this.#step++,
      replid: this.#replid,
      asking,
      evalsha: commands['EVALSHA'] ?? 'EVALSHA',
      askingName: commands['ASKING'] ?? 'ASKING',
    });
    this.#replid = batch.replid;
    this.#count++;
    this.#bytes += batch.bytes;
    link.send(parts, asking ? 2 : 1).then(
      (replies) => this.#landed(batch, replies.at(-1)),
      (error: unknown) => this.#break(error as Error),
    );
  }

  #landed(batch: Batch, reply: Reply | undefined): void {
    this.#count--;
    this.#bytes -= batch.bytes;
    if (this.#broken) return;
    const failure = this.#failure(batch, reply);
    if (failure) {
      this.#break(failure);
      return;
    }
    const wanted = Array.isArray(reply) ? textOf(reply[1]) : '';
    this.#next();
    this.onLanded({ batch, wantedMs: wanted === '' ? undefined : Number(wanted) });
    this.#awake();
  }

  #failure(batch: Batch, reply: Reply | undefined): Error | undefined {
    const address = addressOf(this.#in.link.endpoint);
    if (reply instanceof ErrorReply) return refused(address, reply.message);
    if (!Array.isArray(reply))
      return new RolloutError('Unreachable', `${address} gave a reply that no script of ours gives`);
    const [kind, first, second] = reply.map(textOf);
    if (kind === 'applied') return undefined;
    if (kind === 'elsewhere') return new Elsewhere(`${address} stands at ${first}:${second}, not at ${batch.from}`);
    const message = second ?? '';
    const owner = batch.owners[Number(first)];
    // A copy builds its key by commands about that alone: it waits until the key is served.
    const hasLasted = typeof owner === 'number' && isNotServed(message) && this.#in.notServed.hasLasted(owner);
    if (isPassing(message) && !hasLasted) return refused(address, message);
    if (typeof owner === 'string') this.#in.refusedCopies.set(owner, (this.#in.refusedCopies.get(owner) ?? 0) + 1);
    return new CommandFailed(owner, message);
  }

  #break(error: Error): void {
    this.#broken ??= error;
    this.#waiting.length = 0;
    this.#awake();
  }

  #awake(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
