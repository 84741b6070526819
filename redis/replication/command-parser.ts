import { RolloutError } from '../../model/failures.js';

export interface ReplicatedCommand {
  /** Name first. Mostly slices of what the socket delivered: kept, they keep all of it, up to 64 kB. */
  args: Buffer[];
  /** The stream's offset after this command. */
  offset: number;
  /** Where in what the socket delivered the arguments stand, encoded; absent where they did not come in one piece. */
  encoded: { bytes: Buffer; from: number; to: number } | undefined;
}

const maxArguments = 1024 * 1024;
const maxBulk = 0x7fff_ffff;
const [CR, LF, STAR, DOLLAR] = [13, 10, 0x2a, 0x24];
const incomplete = -1;

/**
 * Reads commands (arrays of bulk strings) as they arrive, split anywhere, and counts every byte as the server does. A
 * command that came whole is not copied.
 */
export class CommandParser {
  #offset: number;
  /** The beginning of a header line that the next chunk ends. */
  #line: Buffer = Buffer.alloc(0);
  #args: Buffer[] = [];
  #missing = 0;
  /** The argument that reaches over several chunks, filled to `#filled`; then its line end is due. */
  #bulk: Buffer | undefined;
  #filled = 0;
  /** Within the chunk under way. */
  #at = 0;

  constructor(offset: number) {
    this.#offset = offset;
  }

  /**
   * All commands that end in this chunk. After an error, what the same chunk held before the damage is not given out
   * either: it is had again from the offset of the last command that was.
   *
   * @throws RolloutError Unreachable when the stream is not what a server sends
   */
  push(chunk: Buffer): ReplicatedCommand[] {
    const commands: ReplicatedCommand[] = [];
    const start = this.#offset;
    /** Where the arguments of the command under way begin, if they do so here. */
    let from = -1;
    this.#at = 0;
    while (this.#at < chunk.length) {
      if (this.#bulk) this.#fill(this.#bulk, chunk);
      else if (this.#missing === 0) {
        if (chunk[this.#at] === LF && this.#line.length === 0) {
          // A bare newline keeps the connection alive.
          this.#at++;
          continue;
        }
        const count = this.#header(chunk, STAR, 1, maxArguments);
        if (count === incomplete) break;
        this.#missing = count;
        from = this.#at;
        continue;
      } else {
        const length = this.#header(chunk, DOLLAR, 0, maxBulk);
        if (length === incomplete) break;
        const end = this.#at + length;
        if (end + 2 > chunk.length) {
          this.#bulk = Buffer.allocUnsafe(length);
          this.#filled = 0;
          continue;
        }
        if (chunk[end] !== CR || chunk[end + 1] !== LF) throw this.#unexpected(chunk.subarray(end, end + 2));
        this.#args.push(chunk.subarray(this.#at, end));
        this.#at = end + 2;
        this.#missing--;
      }
      if (this.#missing > 0 || this.#bulk) continue;
      commands.push({
        args: this.#args,
        offset: start + this.#at,
        encoded: from < 0 ? undefined : { bytes: chunk, from, to: this.#at },
      });
      this.#args = [];
      from = -1;
    }
    this.#offset = start + chunk.length;
    return commands;
  }

  /** The number of a line `*3` or `$5`; -1 when the chunk ends before it does. */
  #header(chunk: Buffer, kind: number, least: number, most: number): number {
    if (this.#line.length > 0) return this.#continuedHeader(chunk, kind, least, most);
    const start = this.#at;
    if (chunk[start] !== kind) throw this.#unexpected(chunk.subarray(start));
    let at = start + 1;
    let value = 0;
    for (; at < chunk.length; at++) {
      const digit = (chunk[at] ?? 0) - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      if (value > most) throw this.#unexpected(chunk.subarray(start));
    }
    if (at + 1 >= chunk.length) {
      if (at < chunk.length && chunk[at] !== CR) throw this.#unexpected(chunk.subarray(start));
      if (at - start > 16) throw this.#unexpected(chunk.subarray(start));
      // A copy: it must not keep the whole chunk alive.
      this.#line = Buffer.from(chunk.subarray(start));
      this.#at = chunk.length;
      return incomplete;
    }
    if (chunk[at] !== CR || chunk[at + 1] !== LF || at === start + 1 || value < least)
      throw this.#unexpected(chunk.subarray(start));
    this.#at = at + 2;
    return value;
  }

  #continuedHeader(chunk: Buffer, kind: number, least: number, most: number): number {
    const end = chunk.indexOf(LF, this.#at);
    const upTo = end < 0 ? chunk.length : end + 1;
    const line = Buffer.concat([this.#line, chunk.subarray(this.#at, upTo)]);
    this.#at = upTo;
    if (end < 0) {
      if (line.length > 18) throw this.#unexpected(line);
      this.#line = line;
      return incomplete;
    }
    const [, first, digits] = /^([*$])(\d{1,15})\r\n$/.exec(line.toString('latin1')) ?? [];
    const value = Number(digits);
    if (first !== String.fromCharCode(kind) || !(value >= least && value <= most)) throw this.#unexpected(line);
    this.#line = Buffer.alloc(0);
    return value;
  }

  /** Copies what belongs to the argument, and passes the two bytes after it. */
  #fill(bulk: Buffer, chunk: Buffer): void {
    const used = Math.min(chunk.length - this.#at, bulk.length + 2 - this.#filled);
    if (this.#filled < bulk.length) chunk.copy(bulk, this.#filled, this.#at, this.#at + used);
    for (let i = Math.max(bulk.length, this.#filled); i < this.#filled + used; i++)
      if (chunk[this.#at + i - this.#filled] !== (i === bulk.length ? CR : LF))
        throw this.#unexpected(chunk.subarray(this.#at + i - this.#filled));
    this.#filled += used;
    this.#at += used;
    if (this.#filled < bulk.length + 2) return;
    this.#args.push(bulk);
    this.#bulk = undefined;
    this.#missing--;
  }

  #unexpected(found: Buffer): RolloutError {
    return new RolloutError(
      'Unreachable',
      `the replication stream has '${found.toString('latin1', 0, 40)}' near offset ${this.#offset + this.#at}, where a command should be`,
    );
  }
}
