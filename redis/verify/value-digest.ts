import { createHash } from 'node:crypto';
import type { Elements, StreamPiece } from '../rdb/elements.js';

/** A value's digest, piece by piece; in whichever order a set, a hash or a sorted set comes. */
export class ValueDigest {
  readonly #ordered = createHash('sha1');
  readonly #sum = Buffer.alloc(20);
  #comparable = true;
  #begun = false;

  /** @param acrossReleases leaves out what an older release does not keep of a stream: counters, and idle consumers */
  constructor(private readonly acrossReleases = false) {}

  add(part: Elements): void {
    if (!this.#begun) this.#ordered.update(part.type);
    this.#begun = true;
    switch (part.type) {
      case 'string':
        this.#ordered.update(part.value);
        break;
      case 'list':
        for (const element of part.elements) this.#ordered.update(framed(element));
        break;
      case 'set':
        for (const element of part.elements) this.#mix(element);
        break;
      case 'zset':
        for (const [i, member] of part.elements.entries()) this.#mix(framed(member), String(part.scores[i]));
        break;
      case 'hash':
        // A field may have expired meanwhile.
        if (part.expiries) this.#comparable = false;
        for (let i = 0; i < part.elements.length; i += 2)
          this.#mix(framed(part.elements[i] ?? none), part.elements[i + 1] ?? none);
        break;
      case 'stream':
        // Where its pieces are parted depends on how it is kept.
        if (part.piece === 'entries') for (const entry of part.entries) this.#ordered.update(JSON.stringify(entry));
        else this.#ordered.update(JSON.stringify(this.acrossReleases ? keptByAll(part) : part));
        break;
      case 'module':
        this.#comparable = false;
    }
  }

  /** Undefined where no two of them could be compared. */
  value(): string | undefined {
    if (!this.#comparable) return undefined;
    return this.#ordered.copy().update(this.#sum).digest('hex');
  }

  #mix(...pieces: (Buffer | string)[]): void {
    const hash = createHash('sha1');
    for (const piece of pieces) hash.update(piece);
    const digest = hash.digest();
    for (let i = 0; i < digest.length; i++) this.#sum[i] = (this.#sum[i] ?? 0) ^ (digest[i] ?? 0);
  }
}

function keptByAll(piece: StreamPiece): unknown {
  if (piece.piece === 'about') return piece.about.lastId;
  if (piece.piece === 'group') return [piece.group.name.toString('latin1'), piece.group.lastId];
  if (piece.piece === 'consumer') return piece.pending.length === 0 ? '' : piece;
  return piece;
}

const none = Buffer.alloc(0);

function framed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
