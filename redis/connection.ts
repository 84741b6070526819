import { Redis, ReplyError } from 'ioredis';
import { addressOf, type Endpoint } from '../model/endpoint.js';
import { RolloutError } from '../model/failures.js';
import { tlsOptions } from './socket.js';

export { addressOf, at, type Endpoint } from '../model/endpoint.js';

/**
 * Refusals of PING by a server that is there and took the password: INFO and CONFIG work all the same. MISCONF: a primary
 * that can't write its append-only file or snapshot (processCommand in server.c).
 */
const ANSWERS_ALL_THE_SAME = /^(LOADING|MASTERDOWN|MISCONF)\b/;

export interface NodeConnection extends AsyncDisposable {
  readonly address: string;
  /**
   * Sends one command, renamed where the deployment renames it. Rejects with the server's own error reply, or with a
   * RolloutError (NodeHung, Unreachable) where none came.
   */
  call(command: string, ...args: (string | number | Buffer)[]): Promise<unknown>;
  /** As `call`, with binary replies. */
  callBuffer(command: string, ...args: (string | number | Buffer)[]): Promise<unknown>;
  /** Sends all in one write; a reply or the server's error for each, in order. Rejects as `call` where one did not come. */
  pipeline(
    commands: readonly (readonly (string | number | Buffer)[])[],
    options?: { buffers?: boolean },
  ): Promise<unknown[]>;
  close(): void;
}

/** ioredis' own options for an endpoint. */
export function redisOptions(endpoint: Endpoint) {
  const { host, port, username, password, tls } = endpoint;
  return {
    host,
    port,
    // RESP2: servers before 6.0 know no HELLO, and mixed replies during an upgrade would be a second dialect to test.
    protocol: 2 as const,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls: tlsOptions(endpoint) }),
  };
}

/**
 * One administrative connection to one node. It never reconnects and never retries: the caller looks at the world
 * and decides. Every call has a deadline, since a stopped process (SIGSTOP, swapping) answers nothing at all. A server
 * that is loading its dataset, a replica that serves no stale data (PING is refused by it from 7.0 on), and a primary
 * whose disk is full are connected.
 *
 * @param options.timeoutMs deadline of the connection and of each call, ms (default 5000)
 * @throws RolloutError Unreachable, Unauthorized or NodeHung
 */
export async function connect(endpoint: Endpoint, options: { timeoutMs?: number } = {}): Promise<NodeConnection> {
  const timeoutMs = options.timeoutMs ?? 5000;
  const address = addressOf(endpoint);
  const redis = new Redis({
    ...redisOptions(endpoint),
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
  });
  let cause: Error | undefined;
  redis.on('error', (error: Error) => (cause ??= error));
  try {
    await redis.connect();
    // ioredis reports a refused AUTH as a warning at most; the first command tells the truth.
    await redis.call('PING').catch((error: unknown) => {
      if (!(error instanceof ReplyError) || !ANSWERS_ALL_THE_SAME.test((error as Error).message)) throw error;
    });
  } catch (error) {
    redis.disconnect();
    throw connectionFailure(
      address,
      endpoint,
      cause && /closed/i.test((error as Error).message) ? cause : (error as Error),
    );
  }
  const renamed = (command: string): string => endpoint.commands?.[command.toUpperCase()] ?? command;
  /** An error reply is the server's own. Where there was none, ioredis says neither which node it was nor what was asked. */
  const refused = (command: unknown, error: Error): Error => {
    if (error instanceof ReplyError) return error;
    if (error.message === 'Command timed out')
      throw new RolloutError('NodeHung', `${address} did not answer within ${timeoutMs} ms`, { cause: error });
    const why = (cause ?? error).message;
    throw new RolloutError('Unreachable', `${address} was lost before it answered ${String(command)}: ${why}`, {
      cause: error,
    });
  };
  const thrown = (command: string) => (error: Error) => Promise.reject(refused(command, error));
  return {
    address,
    call: (command, ...args) => redis.call(renamed(command), args).catch(thrown(command)),
    callBuffer: (command, ...args) => redis.callBuffer(renamed(command), args).catch(thrown(command)),
    async pipeline(commands, { buffers = false } = {}) {
      const batch = redis.pipeline();
      for (const [command, ...args] of commands)
        if (buffers) batch.callBuffer(renamed(String(command)), ...args);
        else batch.call(renamed(String(command)), ...args);
      const replies = (await batch.exec()) ?? [];
      return replies.map(([error, reply], i) => (error ? refused(commands[i]?.[0], error) : reply));
    },
    close: () => redis.disconnect(),
    [Symbol.asyncDispose]() {
      redis.disconnect();
      return Promise.resolve();
    },
  };
}

function connectionFailure(address: string, endpoint: Endpoint, error: Error): RolloutError {
  const who = endpoint.username === undefined ? 'the default user' : `user '${endpoint.username}'`;
  if (/WRONGPASS|invalid password|invalid username/i.test(error.message))
    return new RolloutError('Unauthorized', `${address} refused the password of ${who}`, { cause: error });
  if (/NOAUTH/.test(error.message))
    return new RolloutError('Unauthorized', `${address} wants a password, and the deployment file names none`, {
      cause: error,
    });
  if (/no password is set|without any password configured/i.test(error.message))
    return new RolloutError(
      'Unauthorized',
      `${address} has no password set for ${who}, and the deployment file names one`,
      { cause: error },
    );
  if (/NOPERM/.test(error.message))
    return new RolloutError('MissingPermission', `${address}: ${who} may not run PING: ${error.message}`, {
      cause: error,
    });
  if (/^BUSY\b/.test(error.message))
    return new RolloutError('NodeHung', `${address} is held up by a script or function: ${error.message}`, {
      cause: error,
    });
  if (error.message === 'Command timed out')
    return new RolloutError('NodeHung', `${address} accepts connections and answers nothing`, { cause: error });
  return new RolloutError('Unreachable', `${address} can't be reached: ${error.message}`, { cause: error });
}

/** Doesn't the node answer at all, whatever the reason? */
export const isSilent = (error: unknown): error is RolloutError =>
  error instanceof RolloutError && (error.type === 'Unreachable' || error.type === 'NodeHung');
