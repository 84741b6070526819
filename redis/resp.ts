import { CommandWriter } from './command-writer.js';

/** RESP2: one write a batch, replies as slices of what the socket delivered, nothing per command. */

export type Argument = string | number | Buffer;
/** Of a string each character is one byte (latin1): command names, numbers, or a key that is sent several times. */
export type Command = readonly [string, ...Argument[]];
export type Reply = Buffer | number | null | ErrorReply | Reply[];

/** An error as the server said it. A value, not thrown: one key's error is not its neighbours'. */
export class ErrorReply {
  constructor(readonly message: string) {}
}

/** Types, cursors, ids and field names: replies that are plain text, or nothing. */
export function textOf(reply: Reply | symbol | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : typeof reply === 'number' ? `${reply}` : '';
}

/** Of most commands about a key. */
const COMMAND_BYTES = 96;

/** All commands in one buffer; `renamed` gives the name to send for an upper-case command. */
export function encode(commands: readonly Command[], renamed: Readonly<Record<string, string>> = {}): Buffer {
  const writer = new CommandWriter(COMMAND_BYTES * commands.length);
  for (const [name, ...words] of commands) {
    writer.command(1 + words.length);
    writer.word(renamed[name] ?? name);
    for (const word of words) writer.word(typeof word === 'number' ? String(word) : word);
  }
  return writer.bytes;
}

const CR = 13;
const incomplete = Symbol('incomplete');

/** Turns what the socket delivers into replies. A reply's buffers are slices: keep none longer than it is needed. */
export class ReplyParser {
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** No use in parsing before so many bytes are here: a long bulk string would be looked at again with every packet. */
  #needed = 0;

  /** @throws Error when the bytes are no RESP2: the connection can't be used any more */
  push(chunk: Buffer): Reply[] {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes < this.#needed) return [];
    this.#buffer = this.#waiting.length === 1 ? chunk : Buffer.concat(this.#waiting, this.#waitingBytes);
    this.#at = 0;
    const replies: Reply[] = [];
    let end = 0;
    while (end < this.#buffer.length) {
      this.#needed = 0;
      const reply = this.#reply();
      if (reply === incomplete) break;
      replies.push(reply);
      end = this.#at;
    }
    const rest = this.#buffer.subarray(end);
    this.#needed = rest.length === 0 ? 0 : this.#needed - end;
    this.#waiting = rest.length === 0 ? [] : [rest];
    this.#waitingBytes = rest.length;
    return replies;
  }

  #reply(): Reply | typeof incomplete {
    const kind = this.#buffer[this.#at];
    if (kind === 0x24 /* $ */) {
      const length = this.#number();
      if (length === incomplete) return incomplete;
      if (length < 0) return null;
      const start = this.#at;
      if (start + length + 2 > this.#buffer.length) {
        this.#needed = start + length + 2;
        return incomplete;
      }
      this.#at = start + length + 2;
      return this.#buffer.subarray(start, start + length);
    }
    if (kind === 0x3a /* : */) return this.#number();
    if (kind === 0x2a /* * */) {
      const length = this.#number();
      if (length === incomplete) return incomplete;
      if (length < 0) return null;
      const replies: Reply[] = [];
      for (let i = 0; i < length; i++) {
        const reply = this.#reply();
        if (reply === incomplete) return incomplete;
        replies.push(reply);
      }
      return replies;
    }
    const line = this.#line();
    if (line === incomplete) return incomplete;
    if (kind === 0x2d /* - */) return new ErrorReply(line.toString());
    if (kind === 0x2b /* + */) return line;
    throw new Error(
      `expected a RESP2 reply, found '${String.fromCharCode(kind ?? 0)}${line.toString('latin1', 0, 40)}'`,
    );
  }

  #line(): Buffer | typeof incomplete {
    const start = this.#at + 1;
    const end = this.#buffer.indexOf('\r\n', start, 'latin1');
    if (end < 0) return incomplete;
    this.#at = end + 2;
    return this.#buffer.subarray(start, end);
  }

  #number(): number | typeof incomplete {
    const buffer = this.#buffer;
    let at = this.#at + 1;
    const negative = buffer[at] === 0x2d;
    if (negative) at++;
    let value = 0;
    for (; at < buffer.length && buffer[at] !== CR; at++) value = value * 10 + (buffer[at] ?? 0) - 48;
    if (at + 1 >= buffer.length) return incomplete;
    this.#at = at + 2;
    return negative ? -value : value;
  }
}
