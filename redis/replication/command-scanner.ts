import { RolloutError } from '../../model/failures.js';

export interface ScannedCommand {
  /** In upper case. */
  name: string;
  /** Its first arguments, the name among them, each as far as it is kept. */
  args: readonly Buffer[];
  /** The offset before it; of one in a transaction, before its MULTI. Up to there the stream stands for itself. */
  before: number;
  /** The offset after it. */
  offset: number;
}

export interface ScanOptions {
  /** Arguments that are kept of each command, the name among them (default 1). */
  keep?: number;
  /** Bytes that are kept of each, at least 16: names have to be told apart (default 16). */
  keepBytes?: number;
}

const MOST_ARGUMENTS = 1024 * 1024;
const LONGEST_BULK = 0x7fff_ffff;
const LONGEST_HEADER = 16;
const SHORTEST_KEPT = 16;
const [CR, LF, STAR, DOLLAR, ZERO] = [13, 10, 0x2a, 0x24, 0x30];

/**
 * Finds where commands of a stream end, split anywhere, and how the first of their arguments begin; nothing else is held,
 * however large they are. `boundary` is the last offset at which a replica has done all that it was sent: no command and
 * no transaction reaches over it.
 */
export class CommandScanner {
  #offset: number;
  #boundary: number;
  #before: number;
  readonly #keep: number;
  readonly #keepBytes: number;
  /** Arguments that are still to come; 0 between commands. */
  #missing = 0;
  /** What is left of the argument under way, its line end included; -1 where a header comes next. */
  #left = -1;
  #kept = 0;
  #args: Buffer[] = [];
  #header = '';
  #transaction = false;

  constructor(offset: number, { keep = 1, keepBytes = SHORTEST_KEPT }: ScanOptions = {}) {
    this.#offset = this.#boundary = this.#before = offset;
    this.#keep = keep;
    this.#keepBytes = Math.max(SHORTEST_KEPT, keepBytes);
  }

  get offset(): number {
    return this.#offset;
  }

  get boundary(): number {
    return this.#boundary;
  }

  /** Reads on. `each` hears of every command that ends in this chunk. @throws RolloutError Damaged */
  push(chunk: Buffer, each?: (command: ScannedCommand) => void): void {
    const start = this.#offset;
    for (let at = 0; at < chunk.length;) {
      if (this.#left >= 0) at = this.#argument(chunk, at);
      else {
        if (this.#missing === 0 && this.#header === '' && chunk[at] === LF) {
          // Keeps the connection alive, and counts.
          at++;
          if (!this.#transaction) this.#boundary = this.#before = start + at;
          continue;
        }
        at = this.#headerAt(chunk, at);
      }
      if (this.#missing === 0 && this.#left < 0 && this.#header === '') this.#ended(start + at, each);
    }
    this.#offset = start + chunk.length;
  }

  #ended(offset: number, each: ((command: ScannedCommand) => void) | undefined): void {
    const args = this.#args;
    this.#args = [];
    const name = args[0]?.toString('latin1').toUpperCase() ?? '';
    each?.({ name, args, before: this.#before, offset });
    if (name === 'MULTI') this.#transaction = true;
    else if (name === 'EXEC' || name === 'DISCARD') this.#transaction = false;
    if (!this.#transaction) this.#boundary = this.#before = offset;
  }

  #argument(chunk: Buffer, at: number): number {
    const used = Math.min(this.#left, chunk.length - at);
    const payload = Math.max(0, Math.min(used, this.#left - 2));
    const room = Math.min(payload, this.#keepBytes - this.#kept);
    if (room > 0 && this.#args.length <= this.#keep) {
      const last = this.#args.pop();
      // Copies: they must not keep the whole chunk alive.
      const more = chunk.subarray(at, at + room);
      this.#args.push(last && last.length > 0 ? Buffer.concat([last, more]) : Buffer.from(more));
      this.#kept += room;
    }
    for (let i = payload; i < used; i++)
      if (chunk[at + i] !== (this.#left - i === 2 ? CR : LF)) throw this.#unexpected(chunk, at + i);
    this.#left -= used;
    if (this.#left === 0) {
      this.#left = -1;
      this.#missing--;
    }
    return at + used;
  }

  /** A line `*3` or `$5`, which may come in pieces. */
  #headerAt(chunk: Buffer, start: number): number {
    const kind = this.#missing === 0 ? STAR : DOLLAR;
    const end = chunk.indexOf(LF, start);
    const upTo = end < 0 ? chunk.length : end + 1;
    if (this.#header.length + upTo - start > LONGEST_HEADER) throw this.#unexpected(chunk, start);
    if (end < 0 || this.#header !== '') {
      this.#header += chunk.toString('latin1', start, upTo);
      if (end < 0) {
        if (this.#header.charCodeAt(0) !== kind) throw this.#unexpected(chunk, start);
        return upTo;
      }
      const line = this.#header;
      this.#header = '';
      this.#begin(kind, Buffer.from(line, 'latin1'), 0, line.length, chunk, start);
    } else this.#begin(kind, chunk, start, upTo, chunk, start);
    return upTo;
  }

  #begin(kind: number, bytes: Buffer, start: number, end: number, chunk: Buffer, at: number): void {
    let value = 0;
    for (let i = start + 1; i < end - 2; i++) {
      const digit = (bytes[i] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) throw this.#unexpected(chunk, at);
      value = value * 10 + digit;
    }
    const wellFormed = bytes[start] === kind && end - start >= 4 && bytes[end - 2] === CR;
    if (!wellFormed || value > (kind === STAR ? MOST_ARGUMENTS : LONGEST_BULK) || (kind === STAR && value === 0))
      throw this.#unexpected(chunk, at);
    if (kind === STAR) {
      this.#missing = value;
      return;
    }
    this.#left = value + 2;
    this.#kept = 0;
    if (this.#args.length < this.#keep) this.#args.push(Buffer.alloc(0));
    else this.#kept = this.#keepBytes;
  }

  #unexpected(chunk: Buffer, at: number): RolloutError {
    // What it holds may be somebody's value.
    return new RolloutError(
      'Damaged',
      `the stream has byte ${chunk[at] ?? 0} at offset ${this.#offset + at}, where a command should go on`,
    );
  }
}
