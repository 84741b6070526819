import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import { addressOf, connect, type Endpoint } from '../connection.js';
import { attach, type AttachOptions, type Attachment } from './client.js';
import type { ReplicatedCommand } from './command-parser.js';
import { gapAfter, readPosition, type StreamPoint } from './position.js';

export interface StreamOptions extends Pick<AttachOptions, 'acknowledge' | 'timeoutMs' | 'silenceMs' | 'signal'> {
  /** Who is primary now: asked before each connection. */
  primary: () => Promise<Endpoint>;
  /** The last byte that the reader has. */
  after: StreamPoint;
  /** Pause before the first reconnection, doubled with each that fails, ms (default 50, at most 2000). */
  pauseMs?: number;
}

export type StreamEvent =
  /** Linked, and going on right after `offset`. `replid` is another than before where a primary has failed over. */
  | { kind: 'attached'; address: string; replid: string; offset: number }
  | { kind: 'commands'; commands: ReplicatedCommand[] }
  /** The link broke, or could not be had; it is tried again when the next event is asked for. */
  | { kind: 'detached'; why: Error; attempt: number }
  /** The primary can't go on from where the reader is: a fresh copy is needed. The last event. */
  | { kind: 'gap'; reason: 'history' | 'backlog'; address: string; why: string };

/** Failures that another try does not mend. */
const lasting = ['Unauthorized', 'MissingPermission', 'BadInput'];
const LONGEST_PAUSE_MS = 2000;

/**
 * A shard's replication stream across broken links and failovers: each byte once, in order, from `after` on. It ends with
 * a gap, never with a full synchronization that was not asked for, and it never skips.
 *
 * @throws RolloutError Unauthorized, MissingPermission; what `primary` throws; the signal's reason when it is aborted
 */
export async function* replicationStream(options: StreamOptions): AsyncGenerator<StreamEvent, void, void> {
  const { pauseMs = 50, signal } = options;
  const position = { ...options.after };
  for (let attempt = 0; ;) {
    signal?.throwIfAborted();
    const endpoint = await options.primary();
    try {
      await using link = await linkAfter(position, endpoint, options);
      if ('gap' in link) {
        yield { kind: 'gap', reason: link.gap.kind, address: addressOf(endpoint), why: link.gap.why };
        return;
      }
      attempt = 0;
      position.replid = link.attachment.answer.replid;
      yield { kind: 'attached', address: addressOf(endpoint), ...position };
      for await (const commands of link.attachment.batches()) {
        yield { kind: 'commands', commands };
        position.offset = commands.at(-1)?.offset ?? position.offset;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof RolloutError) || lasting.includes(error.type)) throw error;
      attempt++;
      yield { kind: 'detached', why: error, attempt };
    }
    const pause = Math.min(LONGEST_PAUSE_MS, pauseMs * 2 ** Math.min(attempt - 1, 10));
    await sleep(pause, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
  }
}

type Linked = ({ attachment: Attachment } | { gap: { kind: 'history' | 'backlog'; why: string } }) & AsyncDisposable;

/**
 * Attaches where the node can go on from a point, and tells why not where it can't; it is never made to fork.
 *
 * @throws RolloutError as `attach`
 */
export async function linkAfter(
  after: StreamPoint,
  from: Endpoint,
  options: Pick<StreamOptions, 'acknowledge' | 'timeoutMs' | 'silenceMs' | 'signal'>,
): Promise<Linked> {
  const { acknowledge, timeoutMs, silenceMs, signal } = options;
  const nothing = { [Symbol.asyncDispose]: () => Promise.resolve() };
  const timeout = timeoutMs === undefined ? {} : { timeoutMs };
  await using connection = await connect(from, timeout);
  const gap = gapAfter(after, await readPosition(connection));
  if (gap) return { gap, ...nothing };
  const attachment = await attach({
    from,
    resume: after,
    ...timeout,
    ...(acknowledge === undefined ? {} : { acknowledge }),
    ...(silenceMs === undefined ? {} : { silenceMs }),
    ...(signal ? { signal } : {}),
  });
  if (attachment.answer.kind === 'partial')
    return { attachment, [Symbol.asyncDispose]: () => attachment[Symbol.asyncDispose]() };
  attachment.close();
  return { gap: { kind: 'backlog', why: 'what follows left its backlog just now' }, ...nothing };
}
