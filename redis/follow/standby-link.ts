import { once } from 'node:events';
import type { Socket } from 'node:net';
import { RolloutError } from '../../model/failures.js';
import { addressOf, type Endpoint } from '../connection.js';
import { encode, ErrorReply, ReplyParser, type Command, type Reply } from '../resp.js';
import { dial, readyEvent } from '../socket.js';
import { isLacking } from './passing.js';

interface Flight {
  due: number;
  replies: Reply[];
  resolve: (replies: Reply[]) => void;
  reject: (error: Error) => void;
}

/** One connection to a standby over which batches are written as they are encoded, several under way at once. */
export class StandbyLink implements Disposable {
  readonly #parser = new ReplyParser();
  readonly #flights: Flight[] = [];
  #failure: Error | undefined;

  private constructor(
    readonly endpoint: Endpoint,
    private readonly socket: Socket,
    private readonly timeoutMs: number,
  ) {
    socket.setTimeout(timeoutMs);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(this.#lost(error.message, error)));
    socket.on('close', () => this.#fail(this.#lost('the connection was closed')));
    socket.on('timeout', () => {
      if (this.#flights.length > 0)
        this.#fail(new RolloutError('NodeHung', `${addressOf(endpoint)} did not answer within ${timeoutMs} ms`));
    });
  }

  /** @throws RolloutError Unreachable, Unauthorized */
  static async open(endpoint: Endpoint, timeoutMs: number): Promise<StandbyLink> {
    const socket = dial(endpoint);
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);
    try {
      await once(socket, readyEvent(endpoint));
    } catch (error) {
      socket.destroy();
      throw new RolloutError('Unreachable', `${addressOf(endpoint)} can't be reached: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
    }
    const link = new StandbyLink(endpoint, socket, timeoutMs);
    const { username, password } = endpoint;
    if (password !== undefined) {
      const words = [...(username === undefined ? [] : [username]), password].map((it) => Buffer.from(it));
      const [reply] = await link.send([encode([['AUTH', ...words]])], 1);
      if (reply instanceof ErrorReply) {
        link[Symbol.dispose]();
        throw new RolloutError('Unauthorized', `${addressOf(endpoint)} refused the credentials: ${reply.message}`);
      }
    }
    return link;
  }

  /** Writes it, and waits for so many replies. */
  send(parts: readonly Buffer[], due: number): Promise<Reply[]> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      // A connection on which nothing was due has been silent for as long as it liked.
      if (this.#flights.length === 0) this.socket.setTimeout(this.timeoutMs);
      this.#flights.push({ due, replies: [], resolve, reject });
      this.socket.cork();
      for (const part of parts) this.socket.write(part);
      this.socket.uncork();
    });
  }

  /** Each reply, in order; an error reply is thrown. */
  async ask(...commands: Command[]): Promise<Exclude<Reply, ErrorReply>[]> {
    const replies = await this.send([encode(commands, this.endpoint.commands)], commands.length);
    return replies.map((reply) => {
      if (reply instanceof ErrorReply) throw refused(addressOf(this.endpoint), reply.message);
      return reply;
    });
  }

  [Symbol.dispose](): void {
    this.#failure ??= this.#lost('the follower has ended');
    this.socket.destroy();
  }

  #receive(chunk: Buffer): void {
    let replies: Reply[] = [];
    try {
      replies = this.#parser.push(chunk);
    } catch (error) {
      this.#fail(this.#lost((error as Error).message, error));
    }
    for (const reply of replies) {
      const flight = this.#flights[0];
      if (!flight) return;
      flight.replies.push(reply);
      if (--flight.due > 0) continue;
      this.#flights.shift();
      flight.resolve(flight.replies);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const flight of this.#flights.splice(0)) flight.reject(this.#failure);
    this.socket.destroy();
  }

  #lost(why: string, cause?: unknown): RolloutError {
    return new RolloutError('Unreachable', `${addressOf(this.endpoint)} went away while it was followed to: ${why}`, {
      cause,
    });
  }
}

export function refused(address: string, message: string): RolloutError {
  if (/^NOPERM/.test(message))
    return new RolloutError('MissingPermission', `${address} refused the follower: ${message}`);
  return new RolloutError(
    'NotCaughtUp',
    `${address} takes nothing from its follower now: ${message}` + (isLacking(message) ? '; make room there' : ''),
  );
}
