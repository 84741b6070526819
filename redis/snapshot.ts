import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { BackupRecord } from '../model/evidence.js';
import { RolloutError } from '../model/failures.js';
import { addressOf, connect, type Endpoint } from './connection.js';
import { parseInfo } from './info.js';
import { PartialFile } from './rdb/partial-file.js';
import { implausible } from './rdb/plausible.js';
import { RdbReader } from './rdb/reader.js';
import type { RdbSummary } from './rdb/tally.js';
import { attach } from './replication/client.js';

export interface Snapshot extends Omit<BackupRecord, 'shard'> {
  summary: RdbSummary;
}

export interface PullProgress {
  bytes: number;
  /** Known where the server wrote its snapshot to disk first, absent in a diskless transfer. */
  total?: number;
}

export interface PullOptions {
  /** Preferably a replica: the fork and the reading then cost the primary nothing. */
  from: Endpoint;
  /** Written as `<file>.partial`, mode 0600, and renamed once it is whole, checked and on disk. */
  file: string;
  /** Called for every piece received. */
  onProgress?: (progress: PullProgress) => void;
  signal?: AbortSignal;
  /** For connections and answers of the handshake, ms (default 5000). */
  timeoutMs?: number;
  /** Longest silence while the snapshot is made and sent, ms (default 60,000). */
  silenceMs?: number;
}

/** A snapshot on its way. */
export interface SnapshotStream extends AsyncDisposable {
  node: string;
  /** Where it stands: the stream of commands goes on behind this offset. */
  replid: string;
  offset: number;
  /** When the node said so, Unix ms by this machine's clock. */
  cutAt: number;
  /**
   * Its bytes, as they come. They end only where they were whole and plausible: what was made of them until then is not to
   * be used.
   *
   * @throws RolloutError BackupFailed, Unreachable, NodeHung
   */
  chunks(): AsyncGenerator<Buffer, void, void>;
  /** What they were, once they have ended. */
  whole(): { summary: RdbSummary; sha256: string };
}

/**
 * Has a node make a snapshot and send it. It is walked, counted, checked against its CRC and hashed in the same pass in
 * which it is read. Memory stays constant.
 *
 * @throws RolloutError BackupFailed, Unreachable, NodeHung, Unauthorized, MissingPermission, NotCaughtUp
 */
export async function openSnapshot(options: Omit<PullOptions, 'file'>): Promise<SnapshotStream> {
  const { from, onProgress, signal, timeoutMs = 5000, silenceMs = 60_000 } = options;
  const node = addressOf(from);
  const release = (await infoOf(from, timeoutMs))['valkey_version'];
  const attachment = await attach({
    from,
    snapshotOnly: true,
    timeoutMs,
    silenceMs,
    ...(release === undefined ? {} : { release }),
    ...(signal ? { signal } : {}),
  });
  const { answer, answeredAt, snapshot } = attachment;
  if (!snapshot) {
    attachment.close();
    throw new RolloutError('BackupFailed', `${node} was asked for a snapshot and sent none`);
  }
  const { chunks, length } = snapshot;
  let found: ReturnType<SnapshotStream['whole']> | undefined;
  async function* read(): AsyncGenerator<Buffer, void, void> {
    const reader = new RdbReader();
    const sha256 = createHash('sha256');
    let bytes = 0;
    for await (const chunk of chunks) {
      reader.push(chunk);
      sha256.update(chunk);
      bytes += chunk.length;
      onProgress?.({ bytes, ...(length === undefined ? {} : { total: length }) });
      yield chunk;
    }
    const summary = reader.end();
    attachment.close();
    agree(`the snapshot of ${node}`, summary, answer);
    const doubt = implausible(summary, answer, await infoOf(from, timeoutMs));
    if (doubt !== undefined) throw new RolloutError('BackupFailed', `the snapshot of ${node} ${doubt}`);
    signal?.throwIfAborted();
    found = { summary, sha256: sha256.digest('hex') };
  }
  return {
    node,
    replid: answer.replid,
    offset: answer.offset,
    cutAt: answeredAt,
    async *chunks() {
      try {
        yield* read();
      } catch (error) {
        named(`the snapshot of ${node}`)(error);
      }
    },
    whole() {
      if (!found) throw new RolloutError('BackupFailed', `the snapshot of ${node} has not come to its end`);
      return found;
    },
    [Symbol.asyncDispose]: () => attachment[Symbol.asyncDispose](),
  };
}

/**
 * Pulls a snapshot of one node into a file. Another call after a crash starts anew and leaves no litter.
 *
 * @throws RolloutError BackupFailed when what was received isn't a whole, plausible snapshot or can't be written;
 *   Unreachable, NodeHung, Unauthorized, MissingPermission, NotCaughtUp when it can't be had
 */
export async function pullSnapshot({ file, ...options }: PullOptions): Promise<Snapshot> {
  const startedAt = new Date();
  await using partial = await PartialFile.create(file);
  await using source = await openSnapshot(options);
  for await (const chunk of source.chunks()) await partial.write(chunk);
  const { summary, sha256 } = source.whole();
  await partial.keep();
  return {
    node: source.node,
    file,
    bytes: summary.bytes,
    keys: summary.keys,
    sha256,
    rdbVersion: summary.rdbVersion,
    replid: source.replid,
    offset: source.offset,
    at: startedAt.toISOString(),
    summary,
  };
}

// A connection each time: one that idles while a large snapshot is pulled may fall to the server's `timeout`.
async function infoOf(from: Endpoint, timeoutMs: number): Promise<Record<string, string>> {
  await using node = await connect(from, { timeoutMs });
  return parseInfo(String(await node.call('INFO')));
}

/** The release that wrote a file, as it says itself. */
export function releaseFromAux(aux: Readonly<Record<string, string>>): string | undefined {
  return aux['valkey-ver'] === undefined ? aux['redis-ver'] : `valkey-${aux['valkey-ver']}`;
}

export interface CheckedSnapshot {
  bytes: number;
  keys: number;
  sha256: string;
  rdbVersion: number;
  /** Where replication can go on after the file was loaded; absent in a file saved outside of any replication. */
  replid?: string;
  offset?: number;
  summary: RdbSummary;
}

/** Where replication should stand in a file. */
export interface ExpectedPosition {
  replid: string;
  /** Exactly this offset, */
  offset?: number;
  /** or at least this one: commands may have arrived between INFO and SAVE. */
  minOffset?: number;
}

/** A file of a snapshot, piece by piece. */
export const readSnapshot = (file: string): AsyncIterable<Buffer> =>
  createReadStream(file, { highWaterMark: 256 * 1024 });

/**
 * Walks an RDB file that is there already, a node's dump.rdb before a swap for instance, and hashes it.
 *
 * @throws RolloutError BackupFailed when it can't be read, is damaged, or stands elsewhere than `expect` says
 */
export async function checkSnapshot(file: string, expect?: ExpectedPosition): Promise<CheckedSnapshot> {
  const chunks = checking(file, readSnapshot(file), expect);
  for (;;) {
    const { done, value } = await chunks.next();
    if (done === true) return value;
  }
}

/**
 * Passes a snapshot on, walks and hashes it on its way, and at its end says what it was. @param what it is called
 *
 * @throws RolloutError BackupFailed, as `checkSnapshot`; whatever `chunks` throws
 */
export async function* checking(
  what: string,
  chunks: AsyncIterable<Buffer>,
  expect?: ExpectedPosition,
): AsyncGenerator<Buffer, CheckedSnapshot, void> {
  const reader = new RdbReader();
  const sha256 = createHash('sha256');
  try {
    for await (const chunk of chunks) {
      reader.push(chunk);
      sha256.update(chunk);
      yield chunk;
    }
    const summary = reader.end();
    if (expect) agree(what, summary, expect, 'required');
    const { 'repl-id': replid, 'repl-offset': offset } = summary.aux;
    return {
      bytes: summary.bytes,
      keys: summary.keys,
      sha256: sha256.digest('hex'),
      rdbVersion: summary.rdbVersion,
      ...(replid === undefined || offset === undefined ? {} : { replid, offset: Number(offset) }),
      summary,
    };
  } catch (error) {
    return named(what)(error);
  }
}

/** The file's own position against the one expected: what was made for another history can't be continued. */
function agree(what: string, { aux }: RdbSummary, expect: ExpectedPosition, presence?: 'required'): void {
  const { 'repl-id': replid, 'repl-offset': written } = aux;
  if (replid === undefined || written === undefined) {
    if (presence === undefined) return;
    throw new RolloutError('BackupFailed', `${what} has no replication id and offset: replication can't go on from it`);
  }
  const offset = Number(written);
  if (replid !== expect.replid)
    throw new RolloutError('BackupFailed', `${what} belongs to replication id ${replid}, expected ${expect.replid}`);
  if (expect.offset !== undefined && offset !== expect.offset)
    throw new RolloutError('BackupFailed', `${what} stands at offset ${offset}, expected ${expect.offset}`);
  if (expect.minOffset !== undefined && offset < expect.minOffset)
    throw new RolloutError('BackupFailed', `${what} stands at offset ${offset}, expected at least ${expect.minOffset}`);
}

/** Says which file a failure is about; a file that can't be read is a failed backup too. */
const named =
  (what: string) =>
  (error: unknown): never => {
    if (error instanceof RolloutError) {
      if (error.type !== 'BackupFailed' || !error.message.startsWith('the RDB is')) throw error;
      throw new RolloutError('BackupFailed', error.message.replace('the RDB', what), { cause: error });
    }
    if (error instanceof Error && 'code' in error && 'syscall' in error)
      throw new RolloutError('BackupFailed', `${what} can't be read: ${error.message}`, { cause: error });
    throw error;
  };
