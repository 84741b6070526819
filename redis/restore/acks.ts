/**
 * What a reply to a write comes to. A number is an integer reply, `true` any other that is no error, `null` none; an error is
 * its text. Of an array (EXEC's) it is the first error in it, else its last element.
 */
export type Ack = true | null | number | string;

const incomplete = Symbol('incomplete');

/** Reads the replies to writes: short, most of them `+OK`, and nothing is made of those. */
export class AckReader {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** @throws Error when the bytes are no RESP2: the connection can't be used any more */
  push(chunk: Buffer, take: (ack: Ack) => void): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    this.#at = 0;
    const bytes = this.#bytes;
    let at = 0;
    for (;;) {
      // +OK\r\n
      while (at + 5 <= bytes.length && bytes[at] === 0x2b && bytes[at + 1] === 0x4f && bytes[at + 3] === 0x0d) {
        at += 5;
        take(true);
      }
      this.#at = at;
      const ack = this.#read();
      if (ack === incomplete) break;
      at = this.#at;
      take(ack);
    }
    this.#bytes = at === bytes.length ? none : Buffer.from(bytes.subarray(at));
  }

  #read(): Ack | typeof incomplete {
    const kind = this.#bytes[this.#at];
    const line = this.#line();
    if (line === undefined) return incomplete;
    switch (kind) {
      case 0x2b:
        return true;
      case 0x2d:
        return line;
      case 0x3a:
        return Number(line);
      case 0x24: {
        const length = Number(line);
        if (length < 0) return null;
        if (this.#at + length + 2 > this.#bytes.length) return incomplete;
        this.#at += length + 2;
        return true;
      }
      case 0x2a: {
        let found: Ack = null;
        let error: string | undefined;
        for (let left = Number(line); left > 0; left--) {
          const one = this.#read();
          if (one === incomplete) return incomplete;
          if (typeof one === 'string') error ??= one;
          found = one;
        }
        return error ?? found;
      }
      default:
        throw new Error(`expected a RESP2 reply, found ${JSON.stringify(line.slice(0, 40))}`);
    }
  }

  #line(): string | undefined {
    const end = this.#bytes.indexOf('\r\n', this.#at, 'latin1');
    if (end < 0) return undefined;
    const text = this.#bytes.toString('latin1', this.#at + 1, end);
    this.#at = end + 2;
    return text;
  }
}

const none = Buffer.alloc(0);
