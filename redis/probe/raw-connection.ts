import type { Socket } from 'node:net';
import { addressOf, type Endpoint } from '../connection.js';
import { encode, ReplyParser } from '../resp.js';
import { dial, readyEvent } from '../socket.js';
import { asText, type Reply } from './resp.js';

/** The connection ended before the reply came: whether the command was carried out is not known. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/**
 * One pipelined connection of our own. It knows no redirects and no retries: whatever happens to a command is told to
 * its callback, once.
 */
export class RawConnection {
  readonly #socket: Socket;
  readonly #parser = new ReplyParser();
  /** Callbacks in the order of sending, with the time of sending; a ring of what was answered is cut off at times. */
  #waiting: { done: (reply: Reply) => void; sentAt: number }[] = [];
  #answered = 0;
  #closed = false;

  constructor(
    endpoint: Endpoint,
    readonly now: () => number,
    onClosed: () => void,
    connectTimeoutMs = 2000,
  ) {
    this.#socket = dial(endpoint);
    let cause = 'the server closed the connection';
    const giveUp = setTimeout(
      () => this.#socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    this.#socket.once(readyEvent(endpoint), () => clearTimeout(giveUp));
    this.#socket.on('error', (error) => (cause = error.message));
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#socket.on('close', () => {
      clearTimeout(giveUp);
      this.#closed = true;
      onClosed();
      const lost = this.#waiting.slice(this.#answered);
      this.#waiting = [];
      this.#answered = 0;
      for (const { done } of lost) done(new ConnectionLost(`${addressOf(endpoint)}: ${cause}`));
    });
    const { username, password } = endpoint;
    // A refused AUTH shows in every later reply as NOAUTH; nothing else has to be done about it here.
    if (password !== undefined)
      this.send(
        [endpoint.commands?.['AUTH'] ?? 'AUTH', ...(username === undefined ? [] : [username]), password],
        () => {
          /* see above */
        },
      );
  }

  get closed(): boolean {
    return this.#closed;
  }

  get pending(): number {
    return this.#waiting.length - this.#answered;
  }

  /** How long the server has owed the oldest reply, ms; 0 when it owes none. */
  get silentMs(): number {
    const oldest = this.#waiting[this.#answered];
    return oldest === undefined ? 0 : this.now() - oldest.sentAt;
  }

  send([name, ...rest]: readonly [string, ...string[]], done: (reply: Reply) => void): void {
    if (this.#closed) {
      done(new ConnectionLost('the connection was closed'));
      return;
    }
    this.#waiting.push({ done, sentAt: this.now() });
    this.#socket.write(encode([[name, ...rest.map((word) => Buffer.from(word))]]));
  }

  destroy(reason?: string): void {
    this.#socket.destroy(reason === undefined ? undefined : new Error(reason));
  }

  #read(chunk: Buffer): void {
    let replies: Reply[];
    try {
      replies = this.#parser.push(chunk).map(asText);
    } catch (error) {
      this.#socket.destroy(error as Error);
      return;
    }
    for (const reply of replies) {
      const entry = this.#waiting[this.#answered++];
      entry?.done(reply);
    }
    if (this.#answered > 1024 || this.#answered === this.#waiting.length) {
      this.#waiting.splice(0, this.#answered);
      this.#answered = 0;
    }
  }
}
