/** One reply of the RESP2 protocol; an error reply is an Error whose message is the server's. */
export type Reply = string | number | null | Error | Reply[];

export function encodeCommand(words: readonly string[]): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) text += `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
  return text;
}

/** Takes chunks as they come from the socket and gives whole replies. */
export class ReplyParser {
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;

  /** @throws Error when the bytes are no RESP2: the connection can't be used any more */
  push(chunk: Buffer): Reply[] {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    const replies: Reply[] = [];
    let consumed = 0;
    this.#at = 0;
    for (;;) {
      const reply = this.#parse();
      if (reply === undefined) break;
      replies.push(reply);
      consumed = this.#at;
    }
    this.#buffer = this.#buffer.subarray(consumed);
    return replies;
  }

  /** Undefined when the reply is not whole yet. */
  #parse(): Reply | undefined {
    const end = this.#buffer.indexOf('\r\n', this.#at, 'latin1');
    if (end < 0) return undefined;
    const kind = this.#buffer[this.#at];
    const line = this.#buffer.toString('utf8', this.#at + 1, end);
    this.#at = end + 2;
    switch (kind) {
      case 0x2b: // +
        return line;
      case 0x2d: // -
        return new Error(line);
      case 0x3a: // :
        return Number(line);
      case 0x24: // $
        return this.#bulk(Number(line));
      case 0x2a: // *
        return this.#array(Number(line));
      default:
        throw new Error(`expected a RESP2 reply, found '${String.fromCharCode(kind ?? 0)}${line.slice(0, 40)}'`);
    }
  }

  #bulk(length: number): string | null | undefined {
    if (length < 0) return null;
    const end = this.#at + length;
    if (this.#buffer.length < end + 2) return undefined;
    const text = this.#buffer.toString('utf8', this.#at, end);
    this.#at = end + 2;
    return text;
  }

  #array(length: number): Reply[] | null | undefined {
    if (length < 0) return null;
    const items: Reply[] = [];
    for (let i = 0; i < length; i++) {
      const item = this.#parse();
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  }
}
