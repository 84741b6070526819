import type { Elements, Entry } from '../rdb/elements.js';
import { type Capabilities, capabilitiesOf } from './capabilities.js';
import { StreamWriter } from './stream-writer.js';
import { plain, scoreText, word, type Words } from './words.js';

export interface WriteOptions {
  /** The release that is written to, 5.0.6 or newer. */
  target: string;
  /** Added to every expiry, ms: whoever follows a primary lets that one end the keys. */
  marginMs: number;
}

export interface Written {
  commands: Words[];
  /** What of the key the release can't hold; the rest of it is written. */
  unrepresentable?: string;
}

const PIECE_BYTES = 512 * 1024;

/**
 * Turns values, piece by piece as they are read, into commands that build them on a server that does not have the key
 * yet. A command has 1000 elements or 512 kB at the most, unless a single element is longer.
 */
export class ValueWriter {
  readonly #can: Capabilities;
  /** The stream under way. */
  #stream: StreamWriter | undefined;

  constructor(readonly options: WriteOptions) {
    this.#can = capabilitiesOf(options.target);
  }

  /** The commands for one piece. A stream's may come all with its last one. */
  write({ key, part, expiresAt, first, last }: Pick<Entry, 'key' | 'part' | 'expiresAt' | 'first' | 'last'>): Written {
    const commands: Words[] = [];
    const unrepresentable = this.#value(commands, key, part, { first, last });
    const isThere = !first || commands.length > 0;
    if (last && isThere && expiresAt !== undefined && part.type !== 'module')
      commands.push([word('PEXPIREAT'), key, plain(expiresAt + this.options.marginMs)]);
    return unrepresentable === undefined ? { commands } : { commands, unrepresentable };
  }

  /** A function library's source. */
  library(source: Buffer): Written {
    if (!this.#can.functions) return { commands: [], unrepresentable: 'functions' };
    return { commands: [[word('FUNCTION'), word('LOAD'), word('REPLACE'), source]] };
  }

  #value(
    commands: Words[],
    key: Buffer,
    part: Elements,
    { first, last }: { first: boolean; last: boolean },
  ): string | undefined {
    switch (part.type) {
      case 'string':
        writeString(commands, key, part.value);
        return undefined;
      case 'list':
        if (part.elements.length > 0) commands.push([word('RPUSH'), key, ...part.elements]);
        return undefined;
      case 'set':
        if (part.elements.length > 0) commands.push([word('SADD'), key, ...part.elements]);
        return undefined;
      case 'zset':
        writeScores(commands, key, part);
        return undefined;
      case 'hash':
        // Valkey 9's COPY leaves one behind where all fields had expired.
        if (first && last && part.elements.length === 0) return 'hashes without fields';
        if (part.elements.length > 0) commands.push([word('HSET'), key, ...part.elements]);
        return this.#fieldExpiries(commands, key, part);
      case 'stream': {
        if (first) this.#stream = new StreamWriter(key, this.#can);
        const lost = this.#stream?.write(commands, part, last);
        if (last) this.#stream = undefined;
        return lost;
      }
      case 'module':
        return `module type ${part.name}`;
    }
  }

  #fieldExpiries(commands: Words[], key: Buffer, part: Elements & { type: 'hash' }): string | undefined {
    if (part.expiries === undefined) return undefined;
    if (!this.#can.fieldExpiry) return 'field expiries';
    const byTime = new Map<number, Buffer[]>();
    for (const { field, at } of part.expiries) {
      const fields = byTime.get(at);
      if (fields) fields.push(field);
      else byTime.set(at, [field]);
    }
    for (const [at, fields] of byTime)
      commands.push([
        word('HPEXPIREAT'),
        key,
        plain(at + this.options.marginMs),
        word('FIELDS'),
        plain(fields.length),
        ...fields,
      ]);
    return undefined;
  }
}

function writeString(commands: Words[], key: Buffer, value: Buffer): void {
  if (value.length <= PIECE_BYTES) {
    commands.push([word('SET'), key, value]);
    return;
  }
  // Its end first: the server makes room once, where APPEND would have it move the whole again and again.
  for (let at = value.length - (value.length % PIECE_BYTES || PIECE_BYTES); at >= 0; at -= PIECE_BYTES)
    commands.push([word('SETRANGE'), key, plain(at), value.subarray(at, at + PIECE_BYTES)]);
}

function writeScores(commands: Words[], key: Buffer, { elements, scores }: Elements & { type: 'zset' }): void {
  if (elements.length === 0) return;
  const command = [word('ZADD'), key];
  for (const [i, member] of elements.entries()) command.push(plain(scoreText(scores[i] ?? 0)), member);
  commands.push(command);
}
