import { RdbReader, type RdbRecord } from '../rdb/reader.js';
import type { RdbSummary } from '../rdb/tally.js';
import { printable } from '../verify/values.js';
import { ValueWriter, type Written, type WriteOptions } from './value-writer.js';
import { bytesOf, plain, word, type Words } from './words.js';

export interface CopyAllInput extends WriteOptions {
  /** A snapshot as it comes, of an attachment or from a file. */
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>;
  /**
   * Sends commands, in the order in which it is called, and resolves once they are done; up to `lanes` calls are under
   * way at once. What it throws ends the copying.
   */
  apply: (commands: Words[]) => Promise<void>;
  lanes?: number;
  /** Which keys are copied (default: all). */
  keep?: (key: Buffer, database: number) => boolean;
  /** Called after each batch. */
  onProgress?: (progress: CopyProgress) => void;
  signal?: AbortSignal;
}

export interface CopyProgress {
  /** Keys and values' bytes handed to `apply`. */
  keys: number;
  bytes: number;
}

export interface CopiedAll extends CopyProgress {
  /** What the snapshot held, and where in the replication stream it stands (`aux`). */
  summary: RdbSummary;
  /** What the target can't hold, by kind, with some of the keys. */
  unrepresentable: Record<string, { count: number; examples: string[] }>;
}

const BATCH_COMMANDS = 1000;
const BATCH_BYTES = 512 * 1024;
const EXAMPLES = 5;

/**
 * Writes a whole snapshot, by type, to a server that is empty. Databases are changed by SELECT, from 0 on. Memory is
 * bounded, but for a single long string, and for streams up to 64 MB.
 *
 * @throws RolloutError BackupFailed when the snapshot is damaged: what was applied by then is to be thrown away
 */
export async function copyAll(input: CopyAllInput): Promise<CopiedAll> {
  const { chunks, keep, signal } = input;
  const out = new Outbox(input);
  const writer = new ValueWriter(input);
  const unrepresentable: CopiedAll['unrepresentable'] = {};
  let database = 0;
  /** The key that was found wanting last: each of its pieces may say so. */
  let wanting: Buffer | undefined;
  const put = (record: RdbRecord): void => {
    if (record.kind === 'aux') return;
    let written: Written;
    if (record.kind === 'function') written = writer.library(record.source);
    else {
      if (record.database !== database) out.add([[word('SELECT'), plain((database = record.database))]]);
      if (record.first) wanting = undefined;
      written = writer.write(record);
      if (record.last) out.progress.keys++;
    }
    out.add(written.commands);
    const { unrepresentable: what } = written;
    if (what === undefined || (wanting !== undefined && record.kind === 'key')) return;
    const found = (unrepresentable[what] ??= { count: 0, examples: [] });
    found.count++;
    if (record.kind !== 'key') return;
    wanting = record.key;
    if (found.examples.length < EXAMPLES) found.examples.push(printable(record.key));
  };
  try {
    // Not by `readEntries`: a promise for each key costs as much as the key.
    const reader = new RdbReader(keep ? { keep } : {});
    for await (const chunk of chunks)
      for (const record of reader.read(chunk)) {
        put(record);
        if (!out.full) continue;
        signal?.throwIfAborted();
        await out.send();
      }
    const summary = reader.end();
    await out.close();
    return { ...out.progress, summary, unrepresentable };
  } catch (error) {
    await out.abandon();
    throw error;
  }
}

/** Batches on their way; whoever fills them waits while too many are. */
class Outbox {
  readonly progress: CopyProgress = { keys: 0, bytes: 0 };
  #commands: Words[] = [];
  #bytes = 0;
  #underWay: Promise<void>[] = [];

  constructor(readonly input: CopyAllInput) {}

  get full(): boolean {
    return this.#commands.length >= BATCH_COMMANDS || this.#bytes >= BATCH_BYTES;
  }

  add(commands: Words[]): void {
    for (const command of commands) this.#commands.push(command);
    this.#bytes += bytesOf(commands);
  }

  async send(): Promise<void> {
    const { apply, lanes = 2, onProgress } = this.input;
    // A big value's commands are many: no more of them at a time than otherwise.
    for (const commands of this.#bytes < 2 * BATCH_BYTES ? [this.#commands] : batches(this.#commands)) {
      if (this.#underWay.length >= lanes) await this.#underWay.shift();
      const sent = apply(commands);
      // Waited for later, in its turn.
      sent.catch(() => undefined);
      this.#underWay.push(sent);
    }
    this.progress.bytes += this.#bytes;
    this.#commands = [];
    this.#bytes = 0;
    onProgress?.({ ...this.progress });
  }

  async close(): Promise<void> {
    await this.send();
    await Promise.all(this.#underWay);
  }

  async abandon(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }
}

function* batches(commands: Words[]): Generator<Words[]> {
  let batch: Words[] = [];
  let bytes = 0;
  for (const command of commands) {
    batch.push(command);
    for (const argument of command) bytes += argument.length;
    if (batch.length < BATCH_COMMANDS && bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
