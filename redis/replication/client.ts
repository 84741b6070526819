import type { Endpoint } from '../connection.js';
import { CommandParser, type ReplicatedCommand } from './command-parser.js';
import { type SyncAnswer, type SyncRequest, synchronize } from './handshake.js';
import { Link } from './link.js';
import { openPayload, type Payload } from './payload.js';

export interface AttachOptions extends SyncRequest {
  from: Endpoint;
  /** For the connection and each answer of the handshake, ms (default 5000). */
  timeoutMs?: number;
  /** Longest silence afterwards, ms (default 60,000 as `repl-timeout`): a server pings its replicas every 10 s. */
  silenceMs?: number;
  signal?: AbortSignal;
}

/**
 * This process, attached to a node as a replica. To the node it counts as one: `WAIT` and `min-replicas-to-write` take
 * its acknowledgements for a replica's.
 */
export interface Attachment extends AsyncDisposable {
  readonly answer: SyncAnswer;
  /** The snapshot, after a full synchronization; to be read to its end before `commands`. */
  readonly snapshot: Payload | undefined;
  /**
   * The commands after it, for ever, each acknowledged (once a second) when the next one is asked for. Whoever reads
   * slowly slows the server's sending down, and in the end loses the link to its output buffer limit.
   *
   * @throws RolloutError NodeHung, Unreachable
   */
  commands(): AsyncGenerator<ReplicatedCommand, void, void>;
  close(): void;
}

/**
 * Attaches to a node through its replication protocol. Memory stays constant however large the dataset: what isn't
 * asked for stays in the server.
 *
 * @throws RolloutError Unreachable, NodeHung, Unauthorized, MissingPermission, NotCaughtUp
 */
export async function attach(options: AttachOptions): Promise<Attachment> {
  const { from, timeoutMs = 5000, silenceMs = 60_000, signal } = options;
  const link = await Link.open(from, { timeoutMs, ...(signal ? { signal } : {}) });
  try {
    const answer = await synchronize(link, options, timeoutMs);
    const snapshot = answer.kind === 'full' ? await openPayload(link, silenceMs) : undefined;
    return {
      answer,
      snapshot,
      commands: () => follow(link, answer.offset, silenceMs),
      close: () => link.close(),
      [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
    };
  } catch (error) {
    link.close();
    throw error;
  }
}

async function* follow(link: Link, start: number, silenceMs: number): AsyncGenerator<ReplicatedCommand, void, void> {
  const parser = new CommandParser(start);
  let acknowledged = start;
  const acknowledge = (): void => link.send('REPLCONF', 'ACK', acknowledged);
  // After a diskless snapshot nothing is sent until the first one; without them we are dropped after `repl-timeout`.
  acknowledge();
  const timer = setInterval(acknowledge, 1000);
  try {
    for (;;) {
      for (const command of parser.push(await link.read(silenceMs))) {
        if (isGetAck(command)) acknowledge();
        yield command;
        acknowledged = command.offset;
      }
    }
  } finally {
    clearInterval(timer);
    link.close();
  }
}

/** `WAIT` makes the server ask at once, instead of waiting for the next second. */
function isGetAck({ args: [name, option] }: ReplicatedCommand): boolean {
  return /^replconf$/i.test(name?.toString('latin1') ?? '') && /^getack$/i.test(option?.toString('latin1') ?? '');
}
