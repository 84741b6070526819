import { once } from 'node:events';
import type { Socket } from 'node:net';
import { RolloutError } from '../../model/failures.js';
import { addressOf, type Endpoint } from '../connection.js';
import { dial, readyEvent } from '../socket.js';

/**
 * One raw socket to a node, read chunk by chunk. Nothing is read ahead of the caller beyond the socket's own buffer:
 * a slow reader stops the server, not the other way round.
 */
export class Link implements AsyncDisposable {
  readonly address: string;
  /** Bytes taken from the socket so far. */
  received = 0;
  #rest: Buffer | undefined;
  readonly #chunks: AsyncIterator<Buffer, undefined>;
  #failure: Error | undefined;

  private constructor(
    readonly endpoint: Endpoint,
    private readonly socket: Socket,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.address = addressOf(endpoint);
    socket.on('error', (error) => (this.#failure ??= error));
    this.#chunks = socket.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, undefined>;
  }

  /** @throws RolloutError Unreachable */
  static async open(endpoint: Endpoint, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Link> {
    const { timeoutMs, signal } = options;
    signal?.throwIfAborted();
    const socket = dial(endpoint);
    const abort = (): void => void socket.destroy();
    signal?.addEventListener('abort', abort, { once: true });
    socket.once('close', () => signal?.removeEventListener('abort', abort));
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs);
    try {
      await once(socket, readyEvent(endpoint), signal ? { signal } : {});
    } catch (error) {
      socket.destroy();
      signal?.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      throw new RolloutError('Unreachable', `${addressOf(endpoint)} can't be reached: ${why}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
    return new Link(endpoint, socket, signal);
  }

  /**
   * The next bytes, as many as are there.
   *
   * @throws RolloutError NodeHung after `timeoutMs` of silence, Unreachable when the connection ended
   */
  async read(timeoutMs: number): Promise<Buffer> {
    if (this.#rest) {
      const rest = this.#rest;
      this.#rest = undefined;
      return rest;
    }
    const timer = setTimeout(
      () =>
        this.socket.destroy(
          new RolloutError(
            'NodeHung',
            `${this.address} has sent nothing for ${timeoutMs} ms, after ${this.received} bytes`,
          ),
        ),
      timeoutMs,
    );
    try {
      const { value, done } = await this.#chunks.next();
      if (done === true) throw this.#ended();
      this.received += value.length;
      return value;
    } catch (error) {
      if (error instanceof RolloutError) throw error;
      throw this.#ended(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Gives back what was read too far: the next `read` returns it. */
  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#rest = this.#rest ? Buffer.concat([bytes, this.#rest]) : bytes;
  }

  /** The next line that isn't empty: a server keeps a waiting replica alive with bare newlines. */
  async line(timeoutMs: number): Promise<string> {
    let line = Buffer.alloc(0);
    for (;;) {
      const chunk = await this.read(timeoutMs);
      const end = chunk.indexOf(10);
      if (end < 0) {
        line = Buffer.concat([line, chunk]);
        if (line.length > 64 * 1024)
          throw new RolloutError('Unreachable', `${this.address} does not speak the Redis protocol: a line has no end`);
        continue;
      }
      this.unread(chunk.subarray(end + 1));
      const text = Buffer.concat([line, chunk.subarray(0, end)])
        .toString('utf8')
        .replace(/\r$/, '');
      if (text !== '') return text;
      line = Buffer.alloc(0);
    }
  }

  /** Sends one command, renamed where the deployment renames it. */
  send(command: string, ...args: (string | number)[]): void {
    const words = [this.endpoint.commands?.[command] ?? command, ...args.map(String)];
    this.socket.write(`*${words.length}\r\n${words.map((it) => `$${Buffer.byteLength(it)}\r\n${it}\r\n`).join('')}`);
  }

  close(): void {
    this.socket.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #ended(error?: unknown): Error {
    this.signal?.throwIfAborted();
    const cause = this.#failure ?? (error instanceof Error ? error : undefined);
    if (cause instanceof RolloutError) return cause;
    return new RolloutError(
      'Unreachable',
      `${this.address} closed the connection after ${this.received} bytes${cause ? `: ${cause.message}` : ''}`,
      { cause },
    );
  }
}
