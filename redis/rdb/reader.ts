import { RolloutError } from '../../model/failures.js';
import { Crc64 } from './crc64.js';
import { Cursor } from './cursor.js';
import { type Dialect, dialect, type Layout, opcodes, type Piece, type ValueLayout } from './layout.js';
import { decompressLzf } from './lzf.js';
import { type RdbSummary, Tally } from './tally.js';

interface Frame {
  layout: Layout;
  index: number;
  rounds: number;
}

// Longer auxiliary values (5.0 keeps whole Lua scripts there) are passed over: memory stays bounded.
const keptText = 4096;

/** Walks an RDB file as it arrives, in bounded memory; `end` says what it held. Any doubt is an error with its byte. */
export class RdbReader {
  readonly #cursor = new Cursor();
  readonly #crc = new Crc64();
  #dialect: Dialect | undefined;
  /** What is under way, innermost last. */
  readonly #frames: Frame[] = [];
  #stage: 'header' | 'opcode' | 'within' | 'footer' | 'done' = 'header';
  readonly #tally = new Tally();
  #expiring = false;
  /** An expiry, idle time or frequency was read, so a key has to follow. */
  #keyDue = false;
  readonly #texts: (string | undefined)[] = [];
  #checksum: RdbSummary['checksum'] = 'absent';

  /** @throws RolloutError BackupFailed, with the byte at which the file is malformed */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#cursor.add(chunk);
    while (this.#step());
    if (this.#stage === 'done' && this.#cursor.available > 0)
      throw this.#malformed('the file goes on after its end marker and checksum');
    if (this.#stage !== 'footer' && this.#stage !== 'done') this.#crc.update(this.#cursor.passed());
  }

  /** @throws RolloutError BackupFailed when the file ended too early */
  end(): RdbSummary {
    if (this.#stage !== 'done' || this.#dialect === undefined) {
      const { skipping } = this.#cursor;
      throw this.#malformed(
        `the file ends here, ${skipping > 0 ? `${skipping} bytes short of the end of a value` : unfinished[this.#stage]}`,
      );
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
      this.#key(value);
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
    if (attribute) this.#keyDue = true;
    if (code === opcodes.expiryMilliseconds || code === opcodes.expirySeconds) this.#expiring = true;
    if (code === opcodes.function) this.#tally.functions++;
    this.#enter(layout);
    return true;
  }

  #select(start: number): boolean {
    const index = this.#number(start);
    if (index === undefined) {
      this.#cursor.rewind(start);
      return false;
    }
    if (index > 0x7fff_ffff) throw this.#malformed(`the database number is ${index}`, start);
    this.#tally.select(index);
    return true;
  }

  #key(value: ValueLayout): void {
    this.#tally.key(value, this.#expiring);
    this.#expiring = this.#keyDue = false;
    this.#frames.push({ layout: value.layout, index: 0, rounds: 1 });
    this.#enter(keyName);
  }

  #enter(layout: Layout): void {
    this.#frames.push({ layout, index: 0, rounds: 1 });
    this.#stage = 'within';
  }

  #within(): boolean {
    const frame = this.#frames.at(-1);
    if (!frame) {
      if (this.#cursor.skipping > 0) return false;
      this.#texts.length = 0;
      this.#stage = 'opcode';
      return true;
    }
    const piece = frame.layout[frame.index];
    if (piece === undefined) {
      frame.index = 0;
      frame.rounds--;
      if (frame.rounds <= 0) this.#frames.pop();
      return true;
    }
    const start = this.#cursor.offset;
    if (this.#cursor.skipping > 0) return false;
    if (!this.#piece(piece, frame, start)) {
      this.#cursor.rewind(start);
      return false;
    }
    return true;
  }

  /** Passes one piece; false, with the cursor anywhere, when it has not arrived whole. */
  #piece(piece: Piece, frame: Frame, start: number): boolean {
    if (typeof piece === 'object') {
      if ('bytes' in piece) {
        frame.index++;
        this.#cursor.skip(piece.bytes);
        return true;
      }
      const rounds = this.#count(start);
      if (rounds === undefined) return false;
      frame.index++;
      if (rounds > 0) this.#frames.push({ layout: piece.repeat, index: 0, rounds });
      return true;
    }
    switch (piece) {
      case 'length':
        // Counters such as a group's entries-read are 64 bits wide, and -1 where they are unknown: any value goes.
        if (this.#number(start) === undefined) return false;
        break;
      case 'string':
        if (!this.#string(start)) return false;
        break;
      case 'text':
        if (!this.#text(start)) return false;
        break;
      case 'score': {
        const digits = this.#cursor.byte();
        if (digits === undefined) return false;
        if (digits < 253) this.#cursor.skip(digits);
        break;
      }
      case 'module': {
        const code = this.#number(start);
        if (code === undefined) return false;
        if (code === 0) break;
        const operand = moduleOperands[code];
        if (operand === undefined) throw this.#malformed(`a module's value has the unknown opcode ${code}`, start);
        this.#frames.push({ layout: [operand], index: 0, rounds: 1 });
        // The piece stays: further opcodes follow, up to 0.
        return true;
      }
    }
    frame.index++;
    return true;
  }

  #number(start: number): number | undefined {
    const length = this.#cursor.length();
    if (length !== undefined && length < 0) throw this.#malformed('a length is malformed', start);
    return length;
  }

  #count(start: number): number | undefined {
    const count = this.#number(start);
    if (count !== undefined && count > Number.MAX_SAFE_INTEGER) throw this.#malformed(`a count of ${count}`, start);
    return count;
  }

  #string(start: number): boolean {
    const length = this.#cursor.length();
    if (length === undefined) return false;
    if (length >= 0) {
      if (length > Number.MAX_SAFE_INTEGER) throw this.#malformed(`a string of ${length} bytes`, start);
      this.#cursor.skip(length);
      return true;
    }
    const kind = ~length;
    if (kind <= 2) this.#cursor.skip(1 << kind);
    else if (kind === 3) {
      const [packed, unpacked] = [this.#count(start), this.#count(start)];
      if (packed === undefined || unpacked === undefined) return false;
      if (packed === 0 || unpacked === 0) throw this.#malformed('an empty compressed string', start);
      this.#cursor.skip(packed);
    } else throw this.#malformed(`a string has the unknown encoding ${kind}`, start);
    return true;
  }

  #text(start: number): boolean {
    const length = this.#cursor.length();
    if (length === undefined) return false;
    let text: string | undefined;
    if (length >= 0 && length <= keptText) {
      const bytes = this.#cursor.take(length);
      if (!bytes) return false;
      text = bytes.toString('utf8');
    } else if (length < 0 && ~length <= 2) {
      const bytes = this.#cursor.take(1 << ~length);
      if (!bytes) return false;
      text = String(bytes.readIntLE(0, bytes.length));
    } else if (~length === 3) {
      const [packed, unpacked] = [this.#count(start), this.#count(start)];
      if (packed === undefined || unpacked === undefined) return false;
      if (packed <= keptText && unpacked <= keptText) {
        const bytes = this.#cursor.take(packed);
        if (!bytes) return false;
        text = decompressLzf(bytes, unpacked)?.toString('utf8');
        if (text === undefined) throw this.#malformed('a compressed string does not unpack to its length', start);
      } else this.#cursor.skip(packed);
    } else {
      this.#cursor.rewind(start);
      return this.#string(start);
    }
    this.#keep(text);
    return true;
  }

  #keep(text: string | undefined): void {
    this.#texts.push(text);
    if (this.#texts.length < 2) return;
    const [name, value] = this.#texts;
    this.#texts.length = 0;
    if (name !== undefined && value !== undefined) this.#tally.aux(name, value);
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
const keyAttributes: ReadonlySet<number> = new Set([
  opcodes.expiryMilliseconds,
  opcodes.expirySeconds,
  opcodes.idle,
  opcodes.frequency,
]);
const unfinished = {
  header: 'within its header',
  opcode: 'without an end marker',
  within: 'in the middle of a record',
  footer: 'within its checksum',
  done: 'too early',
} as const;

// Signed, unsigned, float, double, string (RDB_MODULE_OPCODE_* of rdb.h).
const moduleOperands: Readonly<Record<number, Piece>> = {
  1: 'length',
  2: 'length',
  3: { bytes: 4 },
  4: { bytes: 8 },
  5: 'string',
};
