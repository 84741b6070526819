import { RolloutError } from '../../model/failures.js';
import { connect, type Endpoint, type NodeConnection } from '../connection.js';
import { readDump } from '../rdb/dump.js';
import { RdbReader } from '../rdb/reader.js';
import { ValueDigest } from './value-digest.js';

export interface SnapshotComparison {
  /** Keys in the file, and those of them that had expired by now. */
  keys: number;
  expired: number;
  /** Whose values were compared. */
  compared: number;
  /** Missing, of another value, or not in the file at all. */
  different: number;
  missing: number;
  /** Some of them. */
  examples: string[];
}

interface ComparingInput {
  /** Of the node's own release. */
  snapshot: AsyncIterable<Buffer>;
  /** How many keys it has. */
  keys: number;
  /** A node that was started on it, and takes no writes. */
  node: Endpoint;
  /** Compares about this many in place of all; that each key is there is looked at all the same. */
  sample?: number;
  onProgress?: (keys: number) => void;
  signal?: AbortSignal;
}

/** A key as the file has it. */
interface Wanted {
  key: Buffer;
  expiresAt?: number;
  /** Absent where only its presence is looked at. */
  digest?: string;
}

const BATCH = 200;
const EXAMPLES = 20;
/** A node may expire a key when its own clock says so, which is not ours, ms. */
const CLOCK_MS = 2000;

/**
 * Compares what a node has with the file that it was started on, value by value, whatever their encodings: each is decoded
 * here, the node's from DUMP. Memory is bounded.
 *
 * @throws RolloutError BackupFailed where the file is damaged; Unreachable, NodeHung
 */
export async function compareWithSnapshot(input: ComparingInput): Promise<SnapshotComparison> {
  const { snapshot, node, keys, sample, onProgress, signal } = input;
  await using connection = await connect(node, { timeoutMs: 60_000 });
  const found: SnapshotComparison = { keys: 0, expired: 0, compared: 0, different: 0, missing: 0, examples: [] };
  const every = sample === undefined ? 1 : Math.max(1, Math.floor(keys / sample));
  const reader = new RdbReader({});
  let batch: Wanted[] = [];
  let digest = new ValueDigest();
  const flush = async (): Promise<void> => {
    signal?.throwIfAborted();
    await compareBatch(connection, batch, found);
    batch = [];
    onProgress?.(found.keys);
  };
  for await (const chunk of snapshot)
    for (const record of reader.read(chunk)) {
      if (record.kind !== 'key') continue;
      if (record.first) digest = new ValueDigest();
      const wanted = found.keys % every === 0;
      if (wanted) digest.add(record.part);
      if (!record.last) continue;
      const { key, expiresAt } = record;
      const value = wanted ? digest.value() : undefined;
      batch.push({
        key: Buffer.from(key),
        ...(expiresAt === undefined ? {} : { expiresAt }),
        ...(value === undefined ? {} : { digest: value }),
      });
      found.keys++;
      if (batch.length >= BATCH) await flush();
    }
  await flush();
  reader.end();
  // One that has expired may be counted for a while yet.
  const more = Number(await connection.call('DBSIZE')) - (found.keys - found.missing);
  if (more > 0) note(found, `${more} keys that are not in the file`, more);
  return found;
}

async function compareBatch(
  connection: NodeConnection,
  batch: readonly Wanted[],
  found: SnapshotComparison,
): Promise<void> {
  const asked = batch.map(({ key, digest }) => (digest === undefined ? ['EXISTS', key] : ['DUMP', key]));
  const replies = await connection.pipeline(asked, { buffers: true });
  for (const [i, { key, expiresAt, digest }] of batch.entries()) {
    const reply = replies[i];
    if (reply instanceof Error) {
      // For another try: only that its slot is not here says something about the key.
      if (!/^(MOVED|ASK) /.test(reply.message))
        throw new RolloutError('Unreachable', `${connection.address}: ${reply.message}`);
      note(found, `${printable(key)} is of another shard by now`);
      continue;
    }
    const isThere = digest === undefined ? Number(reply) === 1 : reply !== null;
    if (!isThere) {
      if (expiresAt !== undefined && expiresAt <= Date.now() + CLOCK_MS) found.expired++;
      else {
        found.missing++;
        note(found, `${printable(key)} is missing`);
      }
      continue;
    }
    if (digest === undefined) continue;
    found.compared++;
    const own = new ValueDigest();
    for (const part of readDump(reply as Buffer)) own.add(part);
    if (own.value() !== digest) note(found, `${printable(key)} has another value`);
  }
}

function note(found: SnapshotComparison, what: string, count = 1): void {
  found.different += count;
  if (found.examples.length < EXAMPLES) found.examples.push(what);
}

const printable = (key: Buffer): string => JSON.stringify(key.toString('latin1').slice(0, 100));
