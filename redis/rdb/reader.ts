import { RolloutError } from '../../model/failures.js';
import { Crc64 } from './crc64.js';
import { Cursor } from './cursor.js';
import { decodeValue } from './decode.js';
import type { Elements, Entry } from './elements.js';
import { type Dialect, dialect, type KeyType, type Layout, opcodes, type ValueLayout } from './layout.js';
import { moduleName } from './module-name.js';
import { type Decoding, Source, starved } from './source.js';
import { type RdbSummary, Tally } from './tally.js';
import { Walk } from './walk.js';

/** What a file holds, in the order in which it is found. */
export type RdbRecord =
  | Entry
  /** A function library's source, with its `#!` line (7.0). */
  | { kind: 'function'; source: Buffer }
  /** `repl-id`, `repl-offset`, `redis-ver`, … */
  | { kind: 'aux'; name: string; value: string };

/** A value as it is written in the file, and so in a DUMP of the same server. */
export interface RawValue {
  database: number;
  key: Buffer;
  /** Unix ms; absent in a key that stays. */
  expiresAt?: number;
  type: KeyType;
  /** The type's byte. */
  code: number;
  value: Buffer;
  format: Dialect;
}

export interface Decode {
  /** Which keys are decoded; the others are passed over (default: all). */
  keep?: (key: Buffer, database: number) => boolean;
  /**
   * Values that are no strings and have `upTo` bytes at the most are handed to `take` as they are, in their turn, and are no
   * records. Types that `may` says no to are decoded. Slices of the chunks, as all that is given out.
   */
  raw?: { upTo: number; may: (code: number, format: Dialect) => boolean; take: (value: RawValue) => void };
}

/**
 * Walks an RDB file as it arrives, in bounded memory; `end` says what it held. Any doubt is an error with its byte.
 * Either values are passed over (`push`), or they are given out as they come (`read`).
 */
export class RdbReader {
  readonly #cursor = new Cursor();
  readonly #source = new Source(this.#cursor, (what, offset) => this.#malformed(what, offset));
  readonly #walk = new Walk(this.#source);
  readonly #crc = new Crc64();
  #dialect: Dialect | undefined;
  #stage: 'header' | 'opcode' | 'within' | 'name' | 'raw' | 'value' | 'module' | 'library' | 'footer' | 'done' =
    'header';
  readonly #tally = new Tally();
  #expiresAt: number | undefined;
  /** An expiry, idle time or frequency was read, so a key has to follow. */
  #keyDue = false;
  #checksum: RdbSummary['checksum'] = 'absent';
  /** The key under way, without its value. */
  #entry: Omit<Entry, 'part' | 'first' | 'last'> | undefined;
  #type = 0;
  #decoding: Decoding | undefined;
  #first = true;
  #record: RdbRecord | undefined;

  /** @param decode without it nothing but the structure is looked at */
  constructor(private readonly decode?: Decode) {}

  /** @throws RolloutError BackupFailed, with the byte at which the file is malformed */
  push(chunk: Buffer): void {
    // eslint-disable-next-line @typescript-eslint/no-unused-vars -- what was read is in the summary
    for (const _ of this.read(chunk));
  }

  /** What the chunk completes. @throws RolloutError BackupFailed, with the byte at which the file is malformed */
  *read(chunk: Buffer): Generator<RdbRecord, void, void> {
    if (chunk.length === 0) return;
    this.#cursor.add(chunk);
    while (this.#step()) {
      if (this.#record === undefined) continue;
      yield this.#record;
      this.#record = undefined;
    }
    if (this.#stage === 'done' && this.#cursor.available > 0)
      throw this.#malformed('the file goes on after its end marker and checksum');
    if (this.#stage !== 'footer' && this.#stage !== 'done') this.#crc.update(this.#cursor.passed());
  }

  /** @throws RolloutError BackupFailed when the file ended too early */
  end(): RdbSummary {
    if (this.#stage !== 'done' || this.#dialect === undefined) {
      const { skipping } = this.#cursor;
      const where =
        skipping > 0 ? `${skipping} bytes short of the end of a value` : (unfinished[this.#stage] ?? unfinished.within);
      throw this.#malformed(`the file ends here, ${where}`);
    }
    return this.#tally.summary(this.#dialect, {
      bytes: this.#cursor.offset,
      checksum: this.#checksum,
      crc64: this.#crc.hex(),
    });
  }

  /** One piece further; false when more bytes are needed, or the end was reached. */
  #step(): boolean {
    switch (this.#stage) {
      case 'header':
        return this.#header();
      case 'opcode':
        return this.#opcode();
      case 'within':
        return this.#within();
      case 'name':
        return this.#name();
      case 'raw':
        return this.#raw();
      case 'value':
        return this.#value();
      case 'module':
        return this.#module();
      case 'library':
        return this.#library();
      case 'footer':
        return this.#footer();
      case 'done':
        return false;
    }
  }

  #header(): boolean {
    const head = this.#cursor.take(9)?.toString('latin1');
    if (head === undefined) return false;
    const match = /^(?:(REDIS)(\d{4})|(VALKEY)(\d{3}))$/.exec(head);
    if (!match) {
      this.#cursor.rewind(0);
      throw this.#malformed(`it begins with ${JSON.stringify(head)}, where an RDB file has REDIS0009 or the like`);
    }
    const [name, version] = [match[1] ?? match[3] ?? '', Number(match[2] ?? match[4])];
    this.#dialect = dialect(name, version);
    if (!this.#dialect)
      throw this.#malformed(`RDB version ${version} of ${name} is not known here (REDIS 9 to 12 and VALKEY 80 are)`);
    this.#stage = 'opcode';
    return true;
  }

  #opcode(): boolean {
    const start = this.#cursor.offset;
    const code = this.#cursor.byte();
    if (code === undefined) return false;
    const value = this.#dialect?.value(code);
    if (value) {
      this.#key(code, value);
      return true;
    }
    const attribute = keyAttributes.has(code);
    const layout = this.#dialect?.opcode(code);
    if (!layout && code !== opcodes.end && code !== opcodes.selectDatabase)
      throw this.#malformed(`type or opcode ${code} is not known in RDB version ${this.#dialect?.version ?? 0}`, start);
    if (this.#keyDue && !attribute)
      throw this.#malformed(`opcode ${code} comes where a key has to, after its expiry, idle time or frequency`, start);
    if (code === opcodes.selectDatabase) return this.#select(start);
    if (!layout) {
      this.#crc.update(this.#cursor.passed());
      this.#stage = 'footer';
      return true;
    }
    if (code === opcodes.expiryMilliseconds || code === opcodes.expirySeconds) return this.#expiry(code, start);
    if (attribute) this.#keyDue = true;
    if (code === opcodes.function) this.#tally.functions++;
    if (code === opcodes.function && this.decode) this.#stage = 'library';
    else this.#enter(layout);
    return true;
  }

  #select(start: number): boolean {
    const index = this.#source.count();
    if (index === undefined) {
      this.#cursor.rewind(start);
      return false;
    }
    if (index > 0x7fff_ffff) throw this.#malformed(`the database number is ${index}`, start);
    this.#tally.select(index);
    return true;
  }

  #expiry(code: number, start: number): boolean {
    const at = code === opcodes.expiryMilliseconds ? this.#source.milliseconds() : this.#cursor.take(4)?.readInt32LE(0);
    if (at === undefined) {
      this.#cursor.rewind(start);
      return false;
    }
    this.#expiresAt = code === opcodes.expiryMilliseconds ? at : at * 1000;
    this.#keyDue = true;
    return true;
  }

  #key(code: number, value: ValueLayout): void {
    const expiresAt = this.#expiresAt;
    this.#tally.key(value, expiresAt !== undefined);
    this.#expiresAt = undefined;
    this.#keyDue = false;
    if (!this.decode) {
      this.#enter(value.layout);
      this.#enter(keyName);
      return;
    }
    this.#type = code;
    this.#entry = {
      kind: 'key',
      database: this.#tally.database,
      key: noKey,
      ...(expiresAt === undefined ? {} : { expiresAt }),
      type: value.type,
    };
    this.#stage = 'name';
  }

  #name(): boolean {
    const key = this.#source.string();
    if (!key || !this.#entry || !this.#dialect) return false;
    this.#entry.key = key;
    this.#first = true;
    if (this.decode?.keep?.(key, this.#entry.database) === false)
      this.#enter(this.#dialect.value(this.#type)?.layout ?? []);
    else if (this.#type !== 0 && this.decode?.raw?.may(this.#type, this.#dialect) === true) this.#stage = 'raw';
    else this.#decoded();
    return true;
  }

  #decoded(): void {
    if (!this.#dialect) return;
    this.#decoding = this.#type === 0 ? undefined : decodeValue(this.#type, this.#dialect, this.#source);
    this.#stage = this.#decoding || this.#type === 0 ? 'value' : 'module';
  }

  /** A value that has arrived whole is passed over and given out; one that is too long for that is decoded in pieces. */
  #raw(): boolean {
    const { raw } = this.decode ?? {};
    if (!raw || !this.#entry || !this.#dialect) return false;
    const start = this.#cursor.offset;
    const arrived = this.#cursor.available;
    this.#walk.enter(this.#dialect.value(this.#type)?.layout ?? []);
    while (this.#walk.step());
    if (this.#walk.done && this.#cursor.offset - start <= raw.upTo) {
      const { database, key, expiresAt, type } = this.#entry;
      const common = { database, key, type, code: this.#type, value: this.#cursor.since(start), format: this.#dialect };
      raw.take(expiresAt === undefined ? common : { ...common, expiresAt });
      this.#stage = 'opcode';
      return true;
    }
    const tooLong = this.#walk.done || arrived > raw.upTo;
    this.#walk.abandon();
    this.#cursor.rewind(start);
    if (!tooLong) return false;
    this.#decoded();
    return true;
  }

  #value(): boolean {
    if (this.#type === 0) {
      // Most keys are strings, for which a generator would cost more than the reading.
      const value = this.#source.string();
      if (!value) return false;
      this.#give({ type: 'string', value }, true);
      this.#stage = 'opcode';
      return true;
    }
    const next = this.#decoding?.next();
    if (!next || next.value === starved) return false;
    this.#give(next.value, next.done ?? false);
    if (next.done) this.#stage = 'opcode';
    return true;
  }

  #module(): boolean {
    const id = this.#source.number();
    if (id === undefined) return false;
    this.#give({ type: 'module', name: moduleName(id) }, true);
    this.#enter(['module']);
    return true;
  }

  #give(part: Elements, last: boolean): void {
    if (!this.#entry) return;
    const { kind, database, key, expiresAt, type } = this.#entry;
    const first = this.#first;
    this.#first = false;
    this.#record =
      expiresAt === undefined
        ? { kind, database, key, type, part, first, last }
        : { kind, database, key, expiresAt, type, part, first, last };
  }

  #library(): boolean {
    const source = this.#source.string();
    if (!source) return false;
    this.#record = { kind: 'function', source };
    this.#stage = 'opcode';
    return true;
  }

  #enter(layout: Layout): void {
    this.#walk.enter(layout);
    this.#stage = 'within';
  }

  #within(): boolean {
    if (this.#walk.step()) return true;
    if (!this.#walk.done) return false;
    const [name, value] = this.#walk.texts.splice(0);
    if (name !== undefined && value !== undefined) {
      this.#tally.aux(name, value);
      if (this.decode) this.#record = { kind: 'aux', name, value };
    }
    this.#stage = 'opcode';
    return true;
  }

  #footer(): boolean {
    const start = this.#cursor.offset;
    const footer = this.#cursor.take(8);
    if (!footer) return false;
    const written = Buffer.from(footer).reverse().toString('hex');
    if (written !== '0000000000000000') {
      if (written !== this.#crc.hex())
        throw this.#malformed(`the checksum is ${written}, and the bytes give ${this.#crc.hex()}`, start);
      this.#checksum = 'verified';
    }
    this.#stage = 'done';
    return true;
  }

  #malformed(what: string, offset = this.#cursor.offset): RolloutError {
    return new RolloutError('BackupFailed', `the RDB is damaged at byte ${offset}: ${what}`);
  }
}

const keyName: Layout = ['string'];
const noKey = Buffer.alloc(0);
const keyAttributes: ReadonlySet<number> = new Set([
  opcodes.expiryMilliseconds,
  opcodes.expirySeconds,
  opcodes.idle,
  opcodes.frequency,
]);
const unfinished: Readonly<Record<string, string>> & { within: string } = {
  header: 'within its header',
  opcode: 'without an end marker',
  within: 'in the middle of a record',
  footer: 'within its checksum',
};
