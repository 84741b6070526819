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
  /**
   * `stream`: what was read is acknowledged, and `WAIT` counts it as a replica's. `none`: offset 0 is, once a second, which
   * keeps the link and never counts for `WAIT`. For `min-replicas-to-write` we are a good replica all the same, since it
   * looks at the time of the last acknowledgement only, and a primary of 7.0 or newer that is told to shut down waits
   * `shutdown-timeout` for us. Default `stream`.
   */
  acknowledge?: 'stream' | 'none';
  signal?: AbortSignal;
}

/** This process, attached to a node as a replica. */
export interface Attachment extends AsyncDisposable {
  readonly answer: SyncAnswer;
  /** When it came, Unix ms by this machine's clock: a server that takes a snapshot for us answers as it begins. */
  readonly answeredAt: number;
  /** The snapshot, after a full synchronization; to be read to its end before `batches`. */
  readonly snapshot: Payload | undefined;
  /**
   * The commands after it, for ever, as many at a time as arrived together. With `acknowledge: 'stream'` they count as
   * acknowledged (once a second) when the next ones are asked for. Nothing is read ahead beyond the socket's own buffers:
   * whoever reads slowly slows the server's sending down, and in the end loses the link to its output buffer limit.
   *
   * @throws RolloutError NodeHung, Unreachable
   */
  batches(): AsyncGenerator<ReplicatedCommand[], void, void>;
  /** In place of `batches`: the same stream as it comes, byte for byte. */
  bytes(): AsyncGenerator<Buffer, void, void>;
  close(): void;
}

/**
 * Attaches to a node through its replication protocol. Memory stays constant however large the dataset: what isn't
 * asked for stays in the server.
 *
 * @throws RolloutError Unreachable, NodeHung, Unauthorized, MissingPermission, NotCaughtUp
 */
export async function attach(options: AttachOptions): Promise<Attachment> {
  const { from, timeoutMs = 5000, silenceMs = 60_000, acknowledge = 'stream', signal } = options;
  const link = await Link.open(from, { timeoutMs, ...(signal ? { signal } : {}) });
  try {
    const answer = await synchronize(link, options, timeoutMs);
    const answeredAt = Date.now();
    const snapshot = answer.kind === 'full' ? await openPayload(link, silenceMs) : undefined;
    return {
      answer,
      answeredAt,
      snapshot,
      batches: () => follow(link, answer.offset, { silenceMs, acknowledge }),
      bytes: () => pass(link, answer.offset, { silenceMs, acknowledge }),
      close: () => link.close(),
      [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
    };
  } catch (error) {
    link.close();
    throw error;
  }
}

type Acknowledging = Required<Pick<AttachOptions, 'silenceMs' | 'acknowledge'>>;

async function* follow(
  link: Link,
  start: number,
  { silenceMs, acknowledge }: Acknowledging,
): AsyncGenerator<ReplicatedCommand[], void, void> {
  const parser = new CommandParser(start);
  using acknowledged = acknowledging(link, start, acknowledge);
  for (;;) {
    const commands = parser.push(await link.read(silenceMs));
    const last = commands.at(-1);
    if (!last) continue;
    // `WAIT` makes the server ask at once, instead of waiting for the next second; that it asked comes last.
    const asked = acknowledge === 'stream' && commands.some(isGetAck);
    yield commands;
    acknowledged.read = last.offset;
    if (asked) acknowledged.tell();
  }
}

async function* pass(
  link: Link,
  start: number,
  { silenceMs, acknowledge }: Acknowledging,
): AsyncGenerator<Buffer, void, void> {
  using acknowledged = acknowledging(link, start, acknowledge);
  for (;;) {
    const chunk = await link.read(silenceMs);
    yield chunk;
    acknowledged.read += chunk.length;
  }
}

/** Tells once a second how far we have read, for as long as we do. */
function acknowledging(link: Link, start: number, acknowledge: 'stream' | 'none') {
  const it = {
    read: start,
    tell: (): void => link.send('REPLCONF', 'ACK', acknowledge === 'stream' ? it.read : 0),
    [Symbol.dispose](): void {
      clearInterval(timer);
      link.close();
    },
  };
  // After a diskless snapshot nothing is sent until the first one; without them we are dropped after `repl-timeout`.
  it.tell();
  const timer = setInterval(it.tell, 1000);
  return it;
}

function isGetAck({ args: [name, option] }: ReplicatedCommand): boolean {
  return (
    name?.length === 8 &&
    option?.length === 6 &&
    /^replconf$/i.test(name.toString('latin1')) &&
    /^getack$/i.test(option.toString('latin1'))
  );
}
