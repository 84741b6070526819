import type { ReplicatedCommand } from '../replication/command-parser.js';

/** A command for the standby, or a macro of the script. */
export type Piece = readonly Buffer[];

/** Longer arguments are sent from where they are. */
const LONG_BYTES = 16 * 1024;
const PAGE_BYTES = 64 * 1024;
/** Arguments that a script can unpack onto its stack at once (LUAI_MAXCSTACK is 8000). */
export const MOST_ARGUMENTS = 7000;
/** Arguments that a request may have in all, 1024 * 1024, less some. */
const MOST_IN_BATCH = 1_000_000;
/**
 * Arguments after which a batch is full. Each becomes a Lua string of the standby before the first command runs; with many
 * more of them, all have left the processor's cache again by the time that they are used.
 */
const FULL_AT_ARGUMENTS = 2048;
/** Bytes after which it is full: long values fill it before their number does. */
const FULL_AT_BYTES = 1 << 20;

/** Pieces in the order in which they are to be applied, already encoded; for one call of the script. */
export class Batch {
  /** Where it begins and ends in the stream. */
  readonly from: number;
  to: number;
  /** Fields of the record to be set first, and (with a `-`) to be taken off last. */
  readonly #marks = new Map<string, Buffer>();
  /** What is behind each piece: a command of the stream (the offset after it), or a key's copy (its name). */
  readonly owners: (number | string | undefined)[] = [];
  /** To be sent even where it holds nothing. */
  mustGo = false;
  bytes = 0;
  /** ARGV that the pieces take. */
  arguments = 0;
  commands = 0;
  rewritten = 0;
  recopied = 0;
  replid: string;
  readonly #parts: Buffer[] = [];
  #page = Buffer.allocUnsafe(PAGE_BYTES);
  #used = 0;
  /** Bytes of the stream since the last piece: they end with the next. */
  #since: number;

  constructor(
    at: { replid: string; offset: number },
    /** Database that is selected when it begins. */
    readonly db: number,
  ) {
    this.replid = at.replid;
    this.from = at.offset;
    this.to = at.offset;
    this.#since = at.offset;
  }

  get isEmpty(): boolean {
    return !this.mustGo && this.owners.length === 0 && this.#marks.size === 0 && this.to === this.from;
  }
  get isFull(): boolean {
    return this.bytes >= FULL_AT_BYTES || this.arguments >= FULL_AT_ARGUMENTS;
  }
  holds(more: number): boolean {
    return this.arguments + more <= MOST_IN_BATCH;
  }

  /** A command as it came, or what it became; `upTo` is the stream's offset that is reached once it is applied. */
  add(piece: Piece, upTo: number, owner: number | string | undefined, encoded?: ReplicatedCommand['encoded']): void {
    const head = `${(upTo - this.#since) * 16384 + piece.length}`;
    this.#since = upTo;
    this.owners.push(owner);
    this.arguments += piece.length + 1;
    this.#text(`$${head.length}\r\n${head}\r\n`);
    if (encoded && encoded.to - encoded.from <= LONG_BYTES) {
      this.#room(encoded.to - encoded.from);
      encoded.bytes.copy(this.#page, this.#used, encoded.from, encoded.to);
      this.#used += encoded.to - encoded.from;
      this.bytes += encoded.to - encoded.from;
      return;
    }
    for (const argument of piece) {
      this.#text(`$${argument.length}\r\n`);
      if (argument.length > LONG_BYTES) {
        this.#turn();
        this.#parts.push(argument);
      } else {
        this.#room(argument.length);
        argument.copy(this.#page, this.#used);
        this.#used += argument.length;
      }
      this.bytes += argument.length;
      this.#text('\r\n');
    }
  }

  /** The key of this field is dirty from here on. */
  mark(field: Buffer): void {
    const name = field.toString('latin1');
    // It was to be taken off at the end.
    if (!this.#marks.delete(`-${name}`)) this.#marks.set(name, field);
  }

  /** The key of this field is as at the primary, once all of this is applied. */
  unmark(field: Buffer): void {
    this.#marks.set(`-${field.toString('latin1')}`, Buffer.concat([Buffer.from('-'), field]));
  }

  /** What to write: the call, in parts. */
  encode(call: {
    record: Buffer;
    sha: string;
    step: number;
    replid: string;
    asking: boolean;
    evalsha: string;
    askingName: string;
  }): Buffer[] {
    const words = [
      call.replid,
      String(this.from),
      String(call.step),
      this.replid,
      String(this.db),
      String(this.to),
      String(this.#marks.size),
    ];
    const count = 4 + words.length + this.#marks.size + this.arguments;
    const bulk = (it: Buffer | string): Buffer => {
      const bytes = typeof it === 'string' ? Buffer.from(it, 'latin1') : it;
      return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]);
    };
    const head = Buffer.concat([
      ...(call.asking ? [Buffer.from('*1\r\n'), bulk(call.askingName)] : []),
      Buffer.from(`*${count}\r\n`),
      ...[call.evalsha, call.sha, '0', call.record, ...words, ...this.#marks.values()].map(bulk),
    ]);
    this.#turn();
    return [head, ...this.#parts];
  }

  #text(text: string): void {
    this.#room(text.length);
    this.#used += this.#page.write(text, this.#used, 'latin1');
    this.bytes += text.length;
  }

  #room(bytes: number): void {
    if (this.#page.length - this.#used >= bytes) return;
    this.#turn();
    if (this.#page.length < bytes) this.#page = Buffer.allocUnsafe(Math.max(bytes, PAGE_BYTES));
  }

  #turn(): void {
    if (this.#used === 0) return;
    this.#parts.push(this.#page.subarray(0, this.#used));
    this.#page = this.#page.subarray(this.#used);
    this.#used = 0;
    if (this.#page.length < 256) this.#page = Buffer.allocUnsafe(PAGE_BYTES);
  }
}
