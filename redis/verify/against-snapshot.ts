import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../connection.js';
import type { Mask } from '../mask/mask.js';
import type { Elements } from '../rdb/elements.js';
import { isModule } from '../rdb/layout.js';
import { RdbReader } from '../rdb/reader.js';
import { ComparedNode } from './compared-node.js';
import { foundNothing, type Found, type Wanted } from './snapshot-batch.js';
import { ValueDigest } from './value-digest.js';

export interface SnapshotInput {
  snapshot: AsyncIterable<Buffer>;
  /** Everybody who may have a key, and who has this one. */
  nodes: readonly ComparedNode[];
  nodeOf: (key: Buffer, database: number) => ComparedNode;
  /** Which keys are meant (default: all). */
  selects?: (key: Buffer) => boolean;
  /** What nodes are to have in the place of keys and values; values that it can't mask are not looked for. */
  mask?: Mask | undefined;
  /** Compares the value of one of so many keys (default: of each); that each key is there is looked at all the same. */
  every?: number;
  /** Does not ask when a key expires that expires nowhere in the snapshot (default: of each it is asked). */
  onlyExpiring?: boolean;
  /** Keys a second at the most. */
  rate?: number;
  onProgress?: (keys: number) => void;
  signal?: AbortSignal | undefined;
}

type Seen = Required<Omit<Wanted, 'expiry'>>;

/** About, of what a DUMP of it has. */
function sizeOf(part: Elements): number {
  if (!('elements' in part)) return RAW_BYTES;
  return part.elements.reduce((sum, { length }) => sum + length + 8, 0);
}

/** Larger values are read in parts on both sides. */
const RAW_BYTES = 64 * 1024;

/**
 * Compares what nodes have with a snapshot, key by key: values whatever their encodings, and expiries. Memory is bounded, but
 * for single long strings of the snapshot.
 *
 * @throws RolloutError RolesUnsettled, Unreachable, NodeHung, MissingPermission; BackupFailed and whatever the snapshot throws
 */
export async function compareSnapshot(input: SnapshotInput): Promise<Found> {
  const { nodes, nodeOf, selects, mask, every = 1, onlyExpiring = false, rate, onProgress, signal } = input;
  const found = foundNothing();
  const begun = performance.now();
  let read = 0;
  const add = ({ key, expiresAt, value }: Seen, database: number, bytes: number): void => {
    const byValue = read++ % every === 0;
    if (expiresAt !== undefined && expiresAt <= Date.now()) {
      found.expired++;
      return;
    }
    found.keys++;
    const node = nodeOf(key, database);
    const expiry = byValue && (!onlyExpiring || expiresAt !== undefined);
    if (byValue) node.add({ key, expiresAt, value, expiry }, bytes, found);
    else node.add({ key, expiresAt, expiry }, key.length, found);
  };
  let digest = new ValueDigest('pages');
  const reader = new RdbReader({
    ...(selects ? { keep: selects } : {}),
    raw: {
      upTo: RAW_BYTES,
      may: (code) => mask?.parts.values !== true || isModule(code),
      take: ({ database, key, expiresAt, code, value, format }) => {
        if (mask?.hides(key) === true) return;
        const name = mask?.key(key) ?? key;
        add({ key: name, expiresAt, value: { code, raw: value, format } }, database, value.length);
      },
    },
  });
  for await (const chunk of input.snapshot) {
    for (const record of reader.read(chunk)) {
      if (record.kind !== 'key') continue;
      // A large one: a small one was handed over as it is.
      if (record.type === 'module' && mask?.hides(record.key) === true) continue;
      const { database, key, expiresAt, type, part, first, last } = mask?.entry(record) ?? record;
      if (first && last && part.type === 'string' && part.value.length <= RAW_BYTES) {
        add({ key, expiresAt, value: { text: part.value } }, database, part.value.length);
        continue;
      }
      if (mask && first && last && part.type !== 'string' && part.type !== 'module') {
        const whole = new ValueDigest('any release');
        whole.add(part);
        add({ key: Buffer.from(key), expiresAt, value: { whole: whole.value() } }, database, sizeOf(part));
        continue;
      }
      if (first) digest = new ValueDigest('pages');
      digest.add(part);
      if (!last) continue;
      add({ key: Buffer.from(key), expiresAt, value: { digest: digest.value(), type } }, database, RAW_BYTES);
    }
    signal?.throwIfAborted();
    for (const node of nodes) await node.settled();
    onProgress?.(read);
    const aheadMs = rate === undefined ? 0 : (read / rate) * 1000 - (performance.now() - begun);
    if (aheadMs > 1) await sleep(aheadMs, undefined, signal ? { signal } : {});
  }
  reader.end();
  for (const node of nodes) node.flush(found);
  for (const node of nodes) await node.settled(0);
  return found;
}

export interface NodeComparison extends Omit<Found, 'same'> {
  /** That the node has and the snapshot has not. */
  others: number;
}

/**
 * Compares a node that nobody writes to with the snapshot that it was started on: its keys, expired ones among them, and what is
 * there besides.
 *
 * @param input.expires of a node that removes nothing by itself, a replica without a primary: how many keys of the snapshot
 *   expire. The node has counted its own; then only those are asked when
 *
 * @throws RolloutError as `compareSnapshot`
 */
export async function compareWithSnapshot({
  node,
  databases = [0],
  keys,
  expires,
  sample,
  ...input
}: Pick<SnapshotInput, 'snapshot' | 'rate' | 'onProgress' | 'signal'> & {
  node: Endpoint;
  /** Indexes of those that the snapshot has keys in. */
  databases?: readonly number[];
  /** How many keys the snapshot has. */
  keys: number;
  expires?: number;
  /** Compares the values of about this many in place of all. */
  sample?: number;
}): Promise<NodeComparison> {
  const opened = new Map<number, ComparedNode>();
  try {
    for (const database of databases)
      opened.set(database, await ComparedNode.open(node, { database, signal: input.signal }));
    const every = sample === undefined ? 1 : Math.max(1, Math.floor(keys / sample));
    const nodes = [...opened.values()];
    const nodeOf = (_: Buffer, database: number): ComparedNode => {
      const found = opened.get(database);
      if (!found) throw new Error(`database ${database} was not named`);
      return found;
    };
    const onlyExpiring = expires !== undefined;
    const { keys: due, expired, missing, ...found } = await compareSnapshot({ ...input, nodes, nodeOf, every, onlyExpiring }); // prettier-ignore
    const sizes = await Promise.all(nodes.map((it) => it.keys()));
    const there = sizes.reduce((sum, size) => sum + size, 0);
    // One that has expired may be counted for a while yet.
    const others = Math.max(0, there - (due + expired - missing));
    const { compared, examples } = found;
    const expiring = expires === undefined ? 0 : Math.abs(((await nodes[0]?.expiring()) ?? 0) - expires);
    const different = found.different + (found.different === 0 && missing === 0 && others === 0 ? expiring : 0);
    if (different > found.different) examples.push(`${expiring} keys more expire, or less, than in the snapshot`);
    if (others > 0) examples.push(`${others} keys that are not in the snapshot`);
    return { keys: due + expired, expired, compared, different, missing, others, examples };
  } finally {
    for (const it of opened.values()) it[Symbol.dispose]();
  }
}
