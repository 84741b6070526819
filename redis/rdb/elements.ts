import type { KeyType } from './layout.js';

/**
 * A piece of a value, of bounded size but for a single long element. Its buffers are slices of what has arrived: whoever
 * keeps one for long copies it.
 */
export type Elements =
  | { type: 'string'; value: Buffer }
  | { type: 'list' | 'set'; elements: Buffer[] }
  /** Members and their scores. */
  | { type: 'zset'; elements: Buffer[]; scores: number[] }
  /** Field, value, field, value, … */
  | { type: 'hash'; elements: Buffer[]; expiries?: FieldExpiry[] }
  | ({ type: 'stream' } & StreamPiece)
  /** A module's own format: it can be named, not read. */
  | { type: 'module'; name: string };

export interface FieldExpiry {
  field: Buffer;
  /** Unix ms. */
  at: number;
}

/** A stream's entries come first, then what it knows of itself, then its groups, each followed by its consumers. */
export type StreamPiece =
  | { piece: 'entries'; entries: StreamEntry[] }
  | { piece: 'about'; about: StreamFacts }
  | { piece: 'group'; group: StreamGroup }
  /** A consumer with many pending entries comes in several pieces. */
  | { piece: 'consumer'; group: Buffer; consumer: Buffer; pending: PendingEntry[] };

export interface StreamEntry {
  /** `<ms>-<seq>`, as everywhere. */
  id: string;
  /** Field, value, field, value, … */
  fields: Buffer[];
}

export interface StreamFacts {
  lastId: string;
  /** From 7.0 on. */
  counters?: { firstId: string; maxDeletedId: string; entriesAdded: string };
}

export interface StreamGroup {
  name: Buffer;
  lastId: string;
  /** From 7.0 on; -1 where the server has lost count. */
  entriesRead?: string;
}

export interface PendingEntry {
  id: string;
  /** Unix ms of the last delivery. */
  deliveredAt: number;
  deliveries: string;
}

/** A key and one piece of its value, in order; a small one comes in a single piece. */
export interface Entry {
  kind: 'key';
  database: number;
  key: Buffer;
  /** Unix ms; absent in a key that stays. */
  expiresAt?: number;
  type: KeyType;
  part: Elements;
  first: boolean;
  last: boolean;
}

const FULL_ELEMENTS = 1000;
const FULL_BYTES = 256 * 1024;

/** Elements on their way into one piece. */
export class Batch {
  elements: Buffer[] = [];
  #bytes = 0;

  add(element: Buffer): void {
    this.elements.push(element);
    this.#bytes += element.length;
  }

  get full(): boolean {
    return this.elements.length >= FULL_ELEMENTS || this.#bytes >= FULL_BYTES;
  }

  take(): Buffer[] {
    const { elements } = this;
    this.elements = [];
    this.#bytes = 0;
    return elements;
  }
}
