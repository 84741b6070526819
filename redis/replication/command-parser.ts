import { RolloutError } from '../../model/failures.js';

export interface ReplicatedCommand {
  /** Name first; the caller's to keep. */
  args: Buffer[];
  /** The stream's offset after this command. */
  offset: number;
}

const maxArguments = 1024 * 1024;

/** Reads commands (arrays of bulk strings) as they arrive, split anywhere, and counts every byte as the server does. */
export class CommandParser {
  #offset: number;
  #line: Buffer = Buffer.alloc(0);
  #args: Buffer[] = [];
  #missing = 0;
  /** The argument under way, filled to `#filled`; then its line end is due. */
  #bulk: Buffer | undefined;
  #filled = 0;

  constructor(offset: number) {
    this.#offset = offset;
  }

  /** @throws RolloutError Unreachable when the stream is not what a server sends */
  *push(chunk: Buffer): Generator<ReplicatedCommand, void, void> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#bulk) {
        at += this.#fill(this.#bulk, chunk, at);
        if (this.#filled < this.#bulk.length + 2) return;
        this.#args.push(this.#bulk);
        this.#bulk = undefined;
        if (--this.#missing > 0) continue;
        const args = this.#args;
        this.#args = [];
        yield { args, offset: this.#offset };
        continue;
      }
      const end = chunk.indexOf(10, at);
      if (end < 0) {
        this.#line = Buffer.concat([this.#line, chunk.subarray(at)]);
        if (this.#line.length > 64) throw this.#unexpected(this.#line);
        this.#offset += chunk.length - at;
        return;
      }
      const line =
        this.#line.length === 0 ? chunk.subarray(at, end) : Buffer.concat([this.#line, chunk.subarray(at, end)]);
      this.#offset += end + 1 - at;
      at = end + 1;
      this.#line = Buffer.alloc(0);
      this.#header(line);
    }
  }

  #header(line: Buffer): void {
    const text = line.toString('latin1').replace(/\r$/, '');
    // A bare newline keeps the connection alive.
    if (text === '' && this.#missing === 0) return;
    const count = /^[*$]\d{1,15}$/.test(text) ? Number(text.slice(1)) : -1;
    if (this.#missing === 0 && text.startsWith('*') && count > 0 && count <= maxArguments) this.#missing = count;
    else if (this.#missing > 0 && text.startsWith('$') && count >= 0 && count <= 0x7fff_ffff) {
      this.#bulk = Buffer.allocUnsafe(count);
      this.#filled = 0;
    } else throw this.#unexpected(line);
  }

  /** Copies what belongs to the argument, and passes the two bytes after it; the number of bytes used. */
  #fill(bulk: Buffer, chunk: Buffer, at: number): number {
    const used = Math.min(chunk.length - at, bulk.length + 2 - this.#filled);
    if (this.#filled < bulk.length) chunk.copy(bulk, this.#filled, at, at + used);
    this.#filled += used;
    this.#offset += used;
    return used;
  }

  #unexpected(line: Buffer): RolloutError {
    return new RolloutError(
      'Unreachable',
      `the replication stream has '${line.toString('latin1').slice(0, 40)}' at offset ${this.#offset}, where a command should be`,
    );
  }
}
