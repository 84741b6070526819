import { decodeStream } from './decode-stream.js';
import { Batch, type Elements } from './elements.js';
import type { Dialect } from './layout.js';
import { Intset, Listpack, type Packed, Ziplist, Zipmap } from './packed.js';
import { type Decoding, later, type Source } from './source.js';

type Opened = new (bytes: Buffer, fail: (what: string) => Error) => Packed;

/** How to read a value of each type but those of modules, by its number in the file. The numbers are layout.ts' */
export function decodeValue(type: number, { name }: Pick<Dialect, 'name'>, source: Source): Decoding | undefined {
  if (type === 22 && name === 'VALKEY') return decodeExpiringHash(source, 'milliseconds');
  switch (type) {
    case 0:
      return decodeString(source);
    case 1:
      return decodePlain(source, 'list', 1);
    case 2:
      return decodePlain(source, 'set', 1);
    case 3:
      return decodeScores(source, digits);
    case 4:
      return decodePlain(source, 'hash', 2);
    case 5:
      return decodeScores(source, double);
    case 9:
      return decodePacked(source, 'hash', Zipmap);
    case 10:
      return decodePacked(source, 'list', Ziplist);
    case 11:
      return decodePacked(source, 'set', Intset);
    case 12:
      return decodePackedScores(source, Ziplist);
    case 13:
      return decodePacked(source, 'hash', Ziplist);
    case 14:
      return decodeQuicklist(source, Ziplist);
    case 15:
      return decodeStream(source, 1);
    case 16:
      return decodePacked(source, 'hash', Listpack);
    case 17:
      return decodePackedScores(source, Listpack);
    case 18:
      return decodeQuicklist(source, Listpack);
    case 19:
      return decodeStream(source, 2);
    case 20:
      return decodePacked(source, 'set', Listpack);
    case 21:
      return decodeStream(source, 3);
    case 22:
      return decodeExpiringHash(source, 'absolute');
    case 23:
      return decodeExpiringListpack(source, false);
    case 24:
      return decodeExpiringHash(source, 'relative');
    case 25:
      return decodeExpiringListpack(source, true);
    default:
      return undefined;
  }
}

function* decodeString(source: Source): Decoding {
  return { type: 'string', value: source.string() ?? (yield* later(() => source.string())) };
}

/** Strings one after the other, `per` of them an element. */
function* decodePlain(source: Source, type: 'list' | 'set' | 'hash', per: 1 | 2): Decoding {
  const count = per * (source.count() ?? (yield* later(() => source.count())));
  const batch = new Batch();
  for (let i = 1; i <= count; i++) {
    batch.add(source.string() ?? (yield* later(() => source.string())));
    if (batch.full && i % per === 0 && i < count) yield { type, elements: batch.take() };
  }
  return { type, elements: batch.take() };
}

/** A string that holds them all. */
function* decodePacked(source: Source, type: 'list' | 'set' | 'hash', Form: Opened): Decoding {
  const start = source.cursor.offset;
  const packed = open(source, start, Form, source.string() ?? (yield* later(() => source.string())));
  const per = type === 'hash' ? 2 : 1;
  const batch = new Batch();
  let count = 0;
  for (let element = packed.next(); element; element = packed.next()) {
    // Full only when there is another one: the last piece must not be empty.
    if (batch.full && count % per === 0) yield { type, elements: batch.take() };
    batch.add(element);
    count++;
  }
  if (count % per !== 0) throw source.malformed('a hash has a field without a value', start);
  return { type, elements: batch.take() };
}

/** A list of nodes, each packed, or (from 7.0 on) a single long element. */
function* decodeQuicklist(source: Source, Form: Opened): Decoding {
  const nodes = source.count() ?? (yield* later(() => source.count()));
  const batch = new Batch();
  const plain = Form === Listpack;
  for (let node = 0; node < nodes; node++) {
    const start = source.cursor.offset;
    const container = plain ? (source.count() ?? (yield* later(() => source.count()))) : 2;
    if (container !== 1 && container !== 2) throw source.malformed(`a list has a node of kind ${container}`, start);
    const bytes = source.string() ?? (yield* later(() => source.string()));
    const packed = container === 2 ? open(source, start, Form, bytes) : undefined;
    for (let element = packed ? packed.next() : bytes; element; element = packed?.next()) {
      if (batch.full) yield { type: 'list', elements: batch.take() };
      batch.add(element);
    }
  }
  return { type: 'list', elements: batch.take() };
}

type ReadScore = (source: Source) => number | undefined;

function* decodeScores(source: Source, read: ReadScore): Decoding {
  const count = source.count() ?? (yield* later(() => source.count()));
  const batch = new Batch();
  let scores: number[] = [];
  for (let i = 0; i < count; i++) {
    if (batch.full) {
      yield { type: 'zset', elements: batch.take(), scores };
      scores = [];
    }
    batch.add(source.string() ?? (yield* later(() => source.string())));
    const start = source.cursor.offset;
    const score = read(source) ?? (yield* later(() => read(source)));
    if (Number.isNaN(score)) throw source.malformed('a score is no number', start);
    scores.push(score);
  }
  return { type: 'zset', elements: batch.take(), scores };
}

function double(source: Source): number | undefined {
  return source.take(8)?.readDoubleLE(0);
}

/** Of versions before 8: a length and digits, or what stands for no number and the infinities. */
function digits(source: Source): number | undefined {
  const { cursor } = source;
  const start = cursor.offset;
  const length = cursor.byte();
  if (length === undefined) return undefined;
  if (length >= 253) return [Number.NaN, Infinity, -Infinity][length - 253];
  const text = cursor.take(length);
  if (!text) {
    cursor.rewind(start);
    return undefined;
  }
  return scoreOf(text);
}

function* decodePackedScores(source: Source, Form: Opened): Decoding {
  const start = source.cursor.offset;
  const packed = open(source, start, Form, source.string() ?? (yield* later(() => source.string())));
  const batch = new Batch();
  let scores: number[] = [];
  for (let element = packed.next(); element; element = packed.next()) {
    if (batch.full) {
      yield { type: 'zset', elements: batch.take(), scores };
      scores = [];
    }
    batch.add(element);
    const text = packed.next();
    const score = text ? scoreOf(text) : Number.NaN;
    if (Number.isNaN(score)) throw source.malformed('a sorted set has a member without a score', start);
    scores.push(score);
  }
  return { type: 'zset', elements: batch.take(), scores };
}

/** As strtod reads what servers write: digits, `inf` or `-inf`; NaN for anything else. */
function scoreOf(text: Buffer): number {
  const digits = text.toString('latin1');
  if (digits === 'inf') return Infinity;
  if (digits === '-inf') return -Infinity;
  return /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/.test(digits) ? Number(digits) : Number.NaN;
}

/** `relative`: to the earliest, which comes first, and counted from 1; 0 is none, as with `absolute`. */
function* decodeExpiringHash(source: Source, times: 'relative' | 'absolute' | 'milliseconds'): Decoding {
  const from = times === 'relative' ? (source.milliseconds() ?? (yield* later(() => source.milliseconds()))) - 1 : 0;
  const count = source.count() ?? (yield* later(() => source.count()));
  const piece = new ExpiringFields();
  for (let i = 0; i < count; i++) {
    if (piece.full) yield piece.take();
    let time = times === 'milliseconds' ? 0 : (source.count() ?? (yield* later(() => source.count())));
    const field = source.string() ?? (yield* later(() => source.string()));
    const value = source.string() ?? (yield* later(() => source.string()));
    // Valkey's own type has it behind, -1 for none.
    if (times === 'milliseconds') time = source.milliseconds() ?? (yield* later(() => source.milliseconds()));
    piece.add(field, value, time > 0 ? from + time : undefined);
  }
  return piece.take();
}

/** Field, value and Unix ms in turn, 0 for none. The earliest, in front, only says when to look. */
function* decodeExpiringListpack(source: Source, earliestFirst: boolean): Decoding {
  if (earliestFirst && source.milliseconds() === undefined) yield* later(() => source.milliseconds());
  const start = source.cursor.offset;
  const bytes = source.string() ?? (yield* later(() => source.string()));
  const packed = new Listpack(bytes, (what) => source.malformed(what, start));
  const piece = new ExpiringFields();
  for (let field = packed.next(); field; field = packed.next()) {
    if (piece.full) yield piece.take();
    const value = packed.element();
    const time = Number(packed.integer());
    piece.add(field, value, time > 0 ? time : undefined);
  }
  return piece.take();
}

class ExpiringFields {
  readonly #batch = new Batch();
  #expiries: { field: Buffer; at: number }[] = [];

  get full(): boolean {
    return this.#batch.full;
  }

  add(field: Buffer, value: Buffer, at: number | undefined): void {
    this.#batch.add(field);
    this.#batch.add(value);
    if (at !== undefined) this.#expiries.push({ field, at });
  }

  take(): Elements {
    const expiries = this.#expiries;
    this.#expiries = [];
    return { type: 'hash', elements: this.#batch.take(), ...(expiries.length > 0 ? { expiries } : {}) };
  }
}

function open(source: Source, start: number, Form: Opened, bytes: Buffer): Packed {
  return new Form(bytes, (what) => source.malformed(what, start));
}
