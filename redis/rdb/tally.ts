import type { Dialect, KeyType, ValueLayout } from './layout.js';

export interface DatabaseCount {
  index: number;
  keys: number;
  /** Keys with an expiry time; some of them may have passed theirs. */
  expires: number;
}

/** What an RDB file holds, counted by walking it whole. */
export interface RdbSummary {
  /** Who defined the format: Redis, or Valkey from 9.0 on. */
  format: 'REDIS' | 'VALKEY';
  rdbVersion: number;
  /** Auxiliary fields: `redis-ver` or `valkey-ver`, `ctime` (Unix s), `repl-id`, `repl-offset`, `used-mem`, … */
  aux: Record<string, string>;
  /** By index; a database without keys is not there. */
  databases: DatabaseCount[];
  keys: number;
  expires: number;
  byType: Record<KeyType, number>;
  /** Hashes with expiry times of their fields (Redis 7.4, Valkey 9.0). */
  hashesWithFieldExpiry: number;
  /** Function libraries (7.0). */
  functions: number;
  bytes: number;
  /** `absent`: written with `rdbchecksum no`, so that only the structure could be checked. */
  checksum: 'verified' | 'absent';
  crc64: string;
}

/** The counts of a walk that is under way. */
export class Tally {
  #database: DatabaseCount = { index: 0, keys: 0, expires: 0 };
  readonly #databases = new Map<number, DatabaseCount>();
  readonly #aux: Record<string, string> = {};
  readonly #byType: Record<KeyType, number> = { string: 0, list: 0, set: 0, zset: 0, hash: 0, stream: 0, module: 0 };
  #hashesWithFieldExpiry = 0;
  functions = 0;

  select(index: number): void {
    this.#database = this.#databases.get(index) ?? { index, keys: 0, expires: 0 };
  }

  get database(): number {
    return this.#database.index;
  }

  key({ type, fieldExpiry }: ValueLayout, expires: boolean): void {
    this.#databases.set(this.#database.index, this.#database);
    this.#database.keys++;
    if (expires) this.#database.expires++;
    this.#byType[type]++;
    if (fieldExpiry) this.#hashesWithFieldExpiry++;
  }

  aux(name: string, value: string): void {
    // Up to 6.x a field `lua` is written for each script; all others occur once.
    if (name !== 'lua') this.#aux[name] = value;
  }

  summary(
    { name, version }: Dialect,
    { bytes, checksum, crc64 }: Pick<RdbSummary, 'bytes' | 'checksum' | 'crc64'>,
  ): RdbSummary {
    const databases = [...this.#databases.values()].sort((a, b) => a.index - b.index);
    return {
      format: name,
      rdbVersion: version,
      aux: this.#aux,
      databases,
      keys: databases.reduce((sum, { keys }) => sum + keys, 0),
      expires: databases.reduce((sum, { expires }) => sum + expires, 0),
      byType: this.#byType,
      hashesWithFieldExpiry: this.#hashesWithFieldExpiry,
      functions: this.functions,
      bytes,
      checksum,
      crc64,
    };
  }
}
