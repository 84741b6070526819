import type { Socket } from 'node:net';
import { RolloutError } from '../../model/failures.js';
import { addressOf, type Endpoint } from '../connection.js';
import { dial } from '../socket.js';
import { encode, ErrorReply, ReplyParser, type Command, type Reply } from '../resp.js';

export interface PipeOptions {
  /** Sends READONLY, without which a cluster's replica redirects every read. */
  readonly: boolean;
  /** Sends CLIENT NO-TOUCH (7.2 and newer): reading everything must not spoil LRU and LFU for eviction. */
  noTouch: boolean;
  /** Longest silence while a reply is due, ms. */
  timeoutMs: number;
  /** Sends ASKING before each command: a standby answers for slots that it only imports. */
  asking?: boolean;
  signal?: AbortSignal;
}

interface Flight {
  due: number;
  replies: Reply[];
  resolve: (replies: Reply[]) => void;
  reject: (error: Error) => void;
}

/**
 * One connection for bulk reading. ioredis makes an object and a promise for every command, which costs more than
 * the comparison itself; this makes one for every batch. Batches sent meanwhile queue up behind each other.
 */
export class Pipe implements Disposable {
  readonly #parser = new ReplyParser();
  readonly #flights: Flight[] = [];
  #failure: Error | undefined;

  private constructor(
    readonly address: string,
    readonly endpoint: Endpoint,
    readonly socket: Socket,
    readonly options: PipeOptions,
  ) {
    socket.setTimeout(options.timeoutMs);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(this.#unreachable(error.message, error)));
    socket.on('close', () => this.#fail(this.#unreachable('the connection was closed')));
    socket.on('timeout', () => {
      if (this.#flights.length > 0)
        this.#fail(new RolloutError('NodeHung', `${address} did not answer within ${options.timeoutMs} ms`));
    });
    options.signal?.addEventListener('abort', this.#aborted);
  }

  /** @throws RolloutError Unreachable, Unauthorized or NodeHung; the signal's reason when it was aborted */
  static async open(endpoint: Endpoint, options: PipeOptions): Promise<Pipe> {
    options.signal?.throwIfAborted();
    const pipe = new Pipe(addressOf(endpoint), endpoint, dial(endpoint), options);
    try {
      await pipe.#greet();
    } catch (error) {
      pipe[Symbol.dispose]();
      throw error;
    }
    return pipe;
  }

  /** Sends all in one write; a reply or an ErrorReply for each, in order. */
  send(commands: readonly Command[]): Promise<Reply[]> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (commands.length === 0) return Promise.resolve([]);
    return this.options.asking === true ? this.#askingFor(commands) : this.#write(commands);
  }

  async #askingFor(commands: readonly Command[]): Promise<Reply[]> {
    const replies = await this.#write(commands.flatMap((command) => [['ASKING'] as const, command]));
    return replies.filter((_, i) => i % 2 === 1);
  }

  #write(commands: readonly Command[]): Promise<Reply[]> {
    return this.sendEncoded(encode(commands, this.endpoint.commands), commands.length);
  }

  /** As `send`, of commands that are written already, so many of them. */
  sendEncoded(bytes: Buffer, due: number): Promise<Reply[]> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#flights.push({ due, replies: [], resolve, reject });
      this.socket.write(bytes);
    });
  }

  /** One command whose error is a failure of the whole comparison. */
  async ask(...command: Command): Promise<Exclude<Reply, ErrorReply>> {
    const [reply = null] = await this.send([command]);
    if (reply instanceof ErrorReply) throw refusal(this.address, command[0], reply);
    return reply;
  }

  [Symbol.dispose](): void {
    this.options.signal?.removeEventListener('abort', this.#aborted);
    this.#failure ??= this.#unreachable('the comparison has ended');
    this.socket.destroy();
  }

  async #greet(): Promise<void> {
    const { username, password } = this.endpoint;
    if (password !== undefined) {
      const credentials = [...(username === undefined ? [] : [username]), password].map((text) => Buffer.from(text));
      await this.ask('AUTH', ...credentials);
    }
    const extra: Command[] = [
      ...(this.options.readonly ? [['READONLY'] as const] : []),
      ...(this.options.noTouch ? [['CLIENT', 'NO-TOUCH', 'ON'] as const] : []),
    ];
    // READONLY is refused outside of cluster mode, where it isn't needed; NO-TOUCH is a courtesy.
    await this.send(extra);
  }

  #receive(chunk: Buffer): void {
    for (const reply of this.#parse(chunk)) {
      const flight = this.#flights[0];
      if (!flight) return;
      flight.replies.push(reply);
      if (--flight.due > 0) continue;
      this.#flights.shift();
      flight.resolve(flight.replies);
    }
  }

  #parse(chunk: Buffer): Reply[] {
    try {
      return this.#parser.push(chunk);
    } catch (error) {
      this.#fail(this.#unreachable(error instanceof Error ? error.message : String(error), error));
      return [];
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const flight of this.#flights.splice(0)) flight.reject(this.#failure);
    this.socket.destroy();
  }

  readonly #aborted = (): void => {
    const reason: unknown = this.options.signal?.reason;
    this.#fail(reason instanceof Error ? reason : new Error(`the comparison was stopped: ${String(reason)}`));
  };

  #unreachable(why: string, cause?: unknown): RolloutError {
    return new RolloutError('Unreachable', `${this.address} went away during the comparison: ${why}`, { cause });
  }
}

/** What an error reply means for the comparison as a whole. */
export function refusal(address: string, command: string, reply: ErrorReply): RolloutError {
  const { message } = reply;
  if (message.startsWith('NOPERM') || message.includes('unknown command'))
    return new RolloutError(
      'MissingPermission',
      `${address} refused ${command}, which the comparison needs: ${message}`,
    );
  if (/^(WRONGPASS|NOAUTH)|invalid password/.test(message))
    return new RolloutError('Unauthorized', `${address} refused the credentials: ${message}`);
  const changing = `${address} can't be compared now, it answered ${command} with: ${message}. Its role, slots or link changed during the comparison`;
  // Over in a moment, as at a cutover: another attempt goes on where this one was.
  if (/^(TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN)/.test(message)) return new RolloutError('RolesUnsettled', changing);
  if (/^(MOVED|ASK)/.test(message)) return new RolloutError('NotCaughtUp', changing);
  return new RolloutError('NotCaughtUp', `${address} answered ${command} with: ${message}`);
}
