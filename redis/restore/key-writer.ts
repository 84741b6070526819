import { createHash } from 'node:crypto';
import { knownLine, type ReleaseLine } from '../../model/compatibility/release-lines.js';
import { atLeast } from '../../model/release.js';
import { SLOTS } from '../../model/topology.js';
import { ValueWriter } from '../copy/value-writer.js';
import { plain, type Words } from '../copy/words.js';
import { keySlot, tagsFor } from '../probe/slot.js';
import { dumpOf, dumpOfString, versionOfType } from '../rdb/dump.js';
import type { Dialect } from '../rdb/layout.js';
import type { Batch } from './batch.js';

/** What becomes of a key that is there already: it stays as it is, or what the backup has takes its place. */
export type Existing = 'keep' | 'replace';

/** The commands that write keys to servers of one release, under the names that the deployment gives them. */
export class KeyWriter {
  readonly values: ValueWriter;
  readonly #line: ReleaseLine | undefined;
  readonly #setExpires: boolean;
  readonly #words = new Map<string, Buffer>();

  constructor(
    readonly release: string,
    readonly existing: Existing,
    private readonly renamed: Readonly<Record<string, string>> = {},
  ) {
    this.values = new ValueWriter({ target: release, marginMs: 0 });
    this.#line = knownLine(release);
    this.#setExpires = atLeast(release, 6, 2);
  }

  /** Can it take a value of this type as it is serialized? */
  restores(code: number, format: Dialect): boolean {
    if (!this.#line) return false;
    const version = versionOfType(code, format);
    const { rdb, readsUpTo } = this.#line;
    // Valkey refuses what Redis numbered since the two parted, and the other way round.
    return version <= 11 ? version <= readsUpTo : version === rdb;
  }

  /** A string of a bearable length, in one command. */
  string(
    batch: Batch,
    { key, value, expiresAt, slot }: { key: Buffer; value: Buffer; expiresAt: number | undefined; slot: number },
  ): void {
    if (expiresAt !== undefined && !this.#setExpires) {
      this.#restore(batch, key, dumpOfString(value), expiresAt);
    } else {
      const keep = this.existing === 'keep';
      batch.command(3 + (expiresAt === undefined ? 0 : 2) + (keep ? 1 : 0));
      batch.word(this.#word('SET'));
      batch.word(key);
      batch.word(value);
      if (expiresAt !== undefined) {
        batch.word(this.#word('PXAT'));
        batch.word(plain(expiresAt));
      }
      if (keep) batch.word(this.#word('NX'));
    }
    batch.end(1, slot);
  }

  /** A value as it is serialized. */
  raw(
    batch: Batch,
    {
      key,
      code,
      value,
      format,
      expiresAt,
      slot,
    }: { key: Buffer; code: number; value: Buffer; format: Dialect; expiresAt: number | undefined; slot: number },
  ): void {
    this.#restore(batch, key, dumpOf(code, value, versionOfType(code, format)), expiresAt);
    batch.end(1, slot);
  }

  #restore(batch: Batch, key: Buffer, payload: Buffer, expiresAt: number | undefined): void {
    const replace = this.existing === 'replace';
    batch.command(4 + (expiresAt === undefined ? 0 : 1) + (replace ? 1 : 0));
    batch.word(this.#word('RESTORE'));
    batch.word(key);
    batch.word(plain(expiresAt ?? 0));
    batch.word(payload);
    if (replace) batch.word(this.#word('REPLACE'));
    if (expiresAt !== undefined) batch.word(this.#word('ABSTTL'));
  }

  /**
   * A value that is built by several commands, at another name in the same slot, and then takes its own: whoever reads it
   * sees all of it, or what was there before. All or nothing, as one transaction.
   */
  whole(
    batch: Batch,
    { key, aside, commands, slot }: { key: Buffer; aside: Buffer; commands: readonly Words[]; slot: number },
  ): void {
    this.#command(batch, [Buffer.from('MULTI')]);
    this.#command(batch, [Buffer.from('UNLINK'), aside]);
    for (const command of commands) this.#command(batch, command);
    batch.end(this.#takeName(batch, key, aside) + 2 + commands.length, slot);
  }

  /** Commands of a value that is too long for that, on their way. */
  piece(batch: Batch, commands: readonly Words[], slot: number): void {
    for (const command of commands) this.#command(batch, command);
    batch.end(commands.length, slot);
  }

  /** Behind the last of its pieces, when all of them are there. */
  complete(
    batch: Batch,
    { key, aside, persists, slot }: { key: Buffer; aside: Buffer; persists: boolean; slot: number },
  ): void {
    this.#command(batch, [Buffer.from('MULTI')]);
    if (persists) this.#command(batch, [Buffer.from('PERSIST'), aside]);
    batch.end(this.#takeName(batch, key, aside) + (persists ? 2 : 1), slot);
  }

  /** @returns the replies to come, but for those before it */
  #takeName(batch: Batch, key: Buffer, aside: Buffer): number {
    const keep = this.existing === 'keep';
    this.#command(batch, [Buffer.from(keep ? 'RENAMENX' : 'RENAME'), aside, key]);
    this.#command(batch, [Buffer.from('EXEC')]);
    if (keep) this.#command(batch, [Buffer.from('UNLINK'), aside]);
    return keep ? 3 : 2;
  }

  #command(batch: Batch, [name = Buffer.alloc(0), ...words]: Words): void {
    batch.command(1 + words.length);
    batch.word(this.#word(name.toString('latin1')));
    for (const word of words) batch.word(word);
  }

  #word(name: string): Buffer {
    let bytes = this.#words.get(name);
    if (!bytes) this.#words.set(name, (bytes = Buffer.from(this.renamed[name] ?? name)));
    return bytes;
  }
}

/** A name of its own in the slot, the same for each attempt: the next one removes what an earlier one left there. */
export function asideOf(key: Buffer, slot: number): Buffer {
  tags ??= tagsBySlot();
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 24);
  return Buffer.from(`redis-rollout-restores:{${tags[slot] ?? ''}}:${hash}`);
}

let tags: string[] | undefined;

function tagsBySlot(): string[] {
  const found: string[] = [];
  for (const tag of tagsFor([[0, SLOTS - 1]], SLOTS)) found[keySlot(tag)] = tag;
  return found;
}
