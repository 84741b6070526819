import type { PendingEntry, StreamEntry } from './elements.js';
import { Listpack } from './packed.js';
import { PendingIndex } from './pending-index.js';
import { type Decoding, later, type Source, type starved } from './source.js';

const FULL_ENTRIES = 500;
const FULL_BYTES = 256 * 1024;
const DELETED = 1;
const SAME_FIELDS = 2;

/**
 * A stream, as t_stream.c and rdb.c write it: nodes of entries, what it knows of itself, its groups. Version 2 (7.0)
 * has counters, version 3 (7.2) tells when a consumer was last served. What is pending in a group is held at once, 28
 * bytes each, since it precedes the consumers that it belongs to.
 */
export function* decodeStream(source: Source, version: 1 | 2 | 3): Decoding {
  const nodes = source.count() ?? (yield* later(() => source.count()));
  let entries: StreamEntry[] = [];
  let bytes = 0;
  for (let node = 0; node < nodes; node++) {
    const start = source.cursor.offset;
    const fail = (what: string): Error => source.malformed(what, start);
    const master = source.string() ?? (yield* later(() => source.string()));
    const packed = source.string() ?? (yield* later(() => source.string()));
    for (const entry of entriesOf(master, new Listpack(packed, fail), fail)) {
      entries.push(entry);
      for (const field of entry.fields) bytes += field.length;
      if (entries.length < FULL_ENTRIES && bytes < FULL_BYTES) continue;
      yield { type: 'stream', piece: 'entries', entries };
      entries = [];
      bytes = 0;
    }
  }
  if (entries.length > 0) yield { type: 'stream', piece: 'entries', entries };

  const number = () => source.number();
  const id = () => source.id();
  yield* readNumber(source);
  const lastId = id() ?? (yield* later(id));
  const about =
    version === 1
      ? { lastId }
      : {
          lastId,
          counters: {
            firstId: id() ?? (yield* later(id)),
            maxDeletedId: id() ?? (yield* later(id)),
            entriesAdded: String(number() ?? (yield* later(number))),
          },
        };
  const groups = source.count() ?? (yield* later(() => source.count()));
  if (groups === 0) return { type: 'stream', piece: 'about', about };
  yield { type: 'stream', piece: 'about', about };
  for (let i = 1; i < groups; i++) yield yield* decodeGroup(source, version);
  return yield* decodeGroup(source, version);
}

function* readNumber(source: Source): Generator<typeof starved, number | bigint, void> {
  return source.number() ?? (yield* later(() => source.number()));
}

/** All but the last piece are yielded. */
function* decodeGroup(source: Source, version: 1 | 2 | 3): Decoding {
  const name = source.string() ?? (yield* later(() => source.string()));
  const lastId = source.id() ?? (yield* later(() => source.id()));
  const read = version === 1 ? undefined : BigInt.asIntN(64, BigInt(yield* readNumber(source)));
  const group = { name, lastId, ...(read === undefined ? {} : { entriesRead: String(read) }) };
  const pending = new PendingIndex();
  const all = source.count() ?? (yield* later(() => source.count()));
  for (let i = 0; i < all; i++) {
    const start = source.cursor.offset;
    const fixed = source.take(24) ?? (yield* later(() => source.take(24)));
    const deliveries = yield* readNumber(source);
    if (!pending.add(fixed, deliveries)) throw source.malformed('pending entries are out of order', start);
  }
  const consumers = source.count() ?? (yield* later(() => source.count()));
  if (consumers === 0) return { type: 'stream', piece: 'group', group };
  yield { type: 'stream', piece: 'group', group };
  for (let i = 1; i <= consumers; i++) {
    const consumer = source.string() ?? (yield* later(() => source.string()));
    const times = version === 3 ? 16 : 8;
    if (!source.take(times)) yield* later(() => source.take(times));
    const owned = source.count() ?? (yield* later(() => source.count()));
    let some: PendingEntry[] = [];
    for (let n = 1; n <= owned; n++) {
      const start = source.cursor.offset;
      const raw = source.take(16) ?? (yield* later(() => source.take(16)));
      const entry = pending.find(raw);
      if (!entry) throw source.malformed('a consumer has an entry that is not pending in its group', start);
      some.push(entry);
      if (some.length < FULL_ENTRIES || n === owned) continue;
      yield { type: 'stream', piece: 'consumer', group: name, consumer, pending: some };
      some = [];
    }
    if (i === consumers) return { type: 'stream', piece: 'consumer', group: name, consumer, pending: some };
    yield { type: 'stream', piece: 'consumer', group: name, consumer, pending: some };
  }
  throw source.malformed('a group without its consumers');
}

/**
 * The entries of one node. A master entry comes first, with the fields that most entries share: entries have their
 * distance from the node's id, and names of fields only where those differ.
 */
function* entriesOf(master: Buffer, pack: Listpack, fail: (what: string) => Error): Generator<StreamEntry> {
  if (master.length !== 16) throw fail(`the id of a stream's node has ${master.length} bytes`);
  const [ms, seq] = [master.readBigUInt64BE(0), master.readBigUInt64BE(8)];
  const [live, deleted] = [pack.integer(), pack.integer()];
  const size = (): number => {
    const number = Number(pack.integer());
    if (number < 0 || number > pack.bytes.length) throw fail(`a stream has an entry of ${number} fields`);
    return number;
  };
  const shared = Array.from({ length: size() }, () => pack.element());
  if (Number(pack.integer()) !== 0) throw fail("the master entry of a stream's node is malformed");
  const all = Number(live) + Number(deleted);
  let alive = 0;
  for (let i = 0; i < all; i++) {
    const flags = Number(pack.integer());
    const id = `${distant(ms, pack.integer())}-${distant(seq, pack.integer())}`;
    const fields: Buffer[] = [];
    if (flags & SAME_FIELDS) for (const name of shared) fields.push(name, pack.element());
    else for (let left = 2 * size(); left > 0; left--) fields.push(pack.element());
    const length = Number(pack.integer());
    const expected = (flags & SAME_FIELDS ? shared.length : fields.length + 1) + 3;
    if (length !== expected) throw fail('an entry of a stream has another length than it says');
    if (flags & DELETED) continue;
    alive++;
    yield { id, fields };
  }
  if (pack.next() !== undefined || alive !== Number(live)) throw fail("a stream's node has other entries than it says");
}

function distant(from: bigint, by: number | bigint): string {
  return String(BigInt.asUintN(64, from + BigInt(by)));
}
