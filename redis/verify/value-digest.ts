import { createHash } from 'node:crypto';
import type { Elements, StreamEntry, StreamPiece } from '../rdb/elements.js';

/**
 * What of a stream counts: `all`; `any release`, without what an older one does not keep (counters, idle consumers); or
 * `pages`, what can be read of it in parts: entries, last ids, and whose the pending ones are.
 */
export type OfStreams = 'all' | 'any release' | 'pages';

/** A value's digest, piece by piece; in whichever order a set, a hash or a sorted set comes, however it is cut into pieces. */
export class ValueDigest {
  readonly #ordered = createHash('sha1');
  readonly #sum = Buffer.alloc(20);
  #comparable = true;
  #begun = false;

  constructor(private readonly ofStreams: OfStreams = 'all') {}

  add(part: Elements): void {
    if (!this.#begun) this.#ordered.update(part.type);
    this.#begun = true;
    switch (part.type) {
      case 'string':
        this.#ordered.update(part.value);
        break;
      case 'list':
        for (const element of part.elements) this.#ordered.update(lengthOf(element)).update(element);
        break;
      case 'set':
        for (const element of part.elements) this.#mix(element);
        break;
      case 'zset':
        for (const [i, member] of part.elements.entries()) this.#mix(lengthOf(member), member, String(part.scores[i]));
        break;
      case 'hash':
        // A field may have expired meanwhile.
        if (part.expiries) this.#comparable = false;
        for (let i = 0; i < part.elements.length; i += 2) {
          const field = part.elements[i] ?? none;
          this.#mix(lengthOf(field), field, part.elements[i + 1] ?? none);
        }
        break;
      case 'stream':
        // Where its pieces are parted depends on how it is kept.
        if (part.piece === 'entries') for (const entry of part.entries) this.#entry(entry);
        else if (this.ofStreams === 'pages') this.#page(part);
        else this.#ordered.update(JSON.stringify(this.ofStreams === 'all' ? part : keptByAll(part)));
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

  #entry({ id, fields }: StreamEntry): void {
    this.#ordered.update(`${id} ${fields.length} `);
    for (const field of fields) this.#ordered.update(lengthOf(field)).update(field);
  }

  #page(part: Exclude<StreamPiece, { piece: 'entries' }>): void {
    if (part.piece === 'about') this.#mix('last ', part.about.lastId);
    else if (part.piece === 'group') this.#mix('group ', lengthOf(part.group.name), part.group.name, part.group.lastId);
    else
      for (const { id } of part.pending)
        this.#mix('pending ', lengthOf(part.group), part.group, lengthOf(part.consumer), part.consumer, id);
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
/** So that no two rows of elements run into the same bytes. */
const lengthOf = (bytes: Buffer): string => `${bytes.length}:`;
