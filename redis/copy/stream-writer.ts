import type { PendingEntry, StreamEntry, StreamFacts, StreamGroup, StreamPiece } from '../rdb/elements.js';
import type { Capabilities } from './capabilities.js';
import { compareIds } from './stream-id.js';
import { plain, word, type Words } from './words.js';

/** Entries are held up to this: only their groups, which come last, say which of those that are gone are still pending. */
const HELD_BYTES = 64 * 1024 * 1024;
const IDS_AT_ONCE = 1000;

interface Consumer {
  group: Buffer;
  consumer: Buffer;
  pending: PendingEntry[];
}

/**
 * Writes one stream: entries with their ids, what it knows of itself, groups, consumers, and what is pending with them.
 * An entry that is gone but still pending is there while it is claimed, and deleted again: no server lets claim what
 * isn't there.
 */
export class StreamWriter {
  #held: StreamEntry[] = [];
  #heldBytes = 0;
  /** Entries were written already, because there are too many to hold. */
  #begun = false;
  #first: string | undefined;
  #about: StreamFacts = { lastId: '0-0' };
  readonly #groups: StreamGroup[] = [];
  #consumers: Consumer[] = [];

  constructor(
    readonly key: Buffer,
    readonly can: Capabilities,
  ) {}

  /** @returns what of it can't be written */
  write(commands: Words[], piece: StreamPiece, last: boolean): string | undefined {
    if (piece.piece === 'entries') this.#entries(commands, piece.entries);
    else if (piece.piece === 'about') this.#about = piece.about;
    else if (piece.piece === 'group') this.#groups.push(piece.group);
    else this.#consumer(piece);
    return last ? this.#finish(commands) : undefined;
  }

  #entries(commands: Words[], entries: StreamEntry[]): void {
    this.#first ??= entries[0]?.id;
    if (!this.#begun) {
      for (const entry of entries) this.#held.push(entry);
      for (const { fields } of entries) for (const field of fields) this.#heldBytes += field.length + 64;
      if (this.#heldBytes <= HELD_BYTES) return;
      this.#begun = true;
      entries = this.#held;
      this.#held = [];
    }
    for (const entry of entries) this.#add(commands, entry);
  }

  #consumer({ group, consumer, pending }: Consumer): void {
    const before = this.#consumers.at(-1);
    if (before && before.consumer.equals(consumer) && before.group.equals(group))
      for (const entry of pending) before.pending.push(entry);
    else this.#consumers.push({ group, consumer, pending: [...pending] });
  }

  #finish(commands: Words[]): string | undefined {
    const lost = this.#begun ? this.#doubtful() : undefined;
    const placeholders = this.#begun ? [] : this.#writeHeld(commands);
    const anchor = this.#first ?? placeholders[0];
    for (const group of this.#groups) {
      commands.push([word('XGROUP'), word('CREATE'), this.key, group.name, plain(group.lastId)]);
      const consumers = this.#consumers.filter((it) => it.group.equals(group.name));
      // Those without anything first: for them an entry is claimed that may be another's afterwards.
      for (const it of consumers) if (it.pending.length === 0) this.#idle(commands, it, anchor);
      for (const it of consumers) this.#claim(commands, it);
    }
    this.#remove(commands, placeholders);
    this.#facts(commands);
    return lost;
  }

  /** Writes entries, and in their places those that are only pending; at least one, which makes the key. */
  #writeHeld(commands: Words[]): string[] {
    const there = new Set(this.#held.map(({ id }) => id));
    const gone = new Set<string>();
    for (const { pending } of this.#consumers) for (const { id } of pending) if (!there.has(id)) gone.add(id);
    const placeholders = [...gone].sort(compareIds);
    if (this.#held.length === 0 && placeholders.length === 0)
      placeholders.push(this.#about.lastId === '0-0' ? '0-1' : this.#about.lastId);
    let next = 0;
    for (const entry of this.#held) {
      for (let id = placeholders[next]; id !== undefined && compareIds(id, entry.id) < 0; id = placeholders[++next])
        this.#add(commands, { id, fields: nothing });
      this.#add(commands, entry);
    }
    for (const id of placeholders.slice(next)) this.#add(commands, { id, fields: nothing });
    this.#held = [];
    return placeholders;
  }

  #add(commands: Words[], { id, fields }: StreamEntry): void {
    commands.push([word('XADD'), this.key, plain(id), ...fields]);
  }

  #idle(commands: Words[], { group, consumer }: Consumer, anchor: string | undefined): void {
    if (this.can.consumersAndTrimById) {
      commands.push([word('XGROUP'), word('CREATECONSUMER'), this.key, group, consumer]);
      return;
    }
    // Before 6.2 reading creates one, which isn't allowed in scripts up to 5.0; so does claiming.
    if (anchor === undefined) return;
    commands.push(
      [word('XCLAIM'), this.key, group, consumer, word('0'), plain(anchor), word('FORCE'), word('JUSTID')],
      [word('XACK'), this.key, group, plain(anchor)],
    );
  }

  #claim(commands: Words[], { group, consumer, pending }: Consumer): void {
    for (let from = 0, to = 0; from < pending.length; from = to) {
      const first = pending[from];
      const ids: Buffer[] = [];
      for (; to < pending.length && ids.length < IDS_AT_ONCE; to++) {
        const it = pending[to];
        if (!it || it.deliveredAt !== first?.deliveredAt || it.deliveries !== first.deliveries) break;
        ids.push(plain(it.id));
      }
      const times = [word('TIME'), plain(first?.deliveredAt ?? 0), word('RETRYCOUNT'), plain(first?.deliveries ?? 1)];
      const how = [...times, word('FORCE'), word('JUSTID')];
      commands.push([word('XCLAIM'), this.key, group, consumer, word('0'), ...ids, ...how]);
    }
  }

  /** Where the target keeps the highest id deleted, what was trimmed isn't counted as that: it is trimmed here, too. */
  #remove(commands: Words[], placeholders: readonly string[]): void {
    if (placeholders.length === 0) return;
    if (this.#first === undefined) {
      commands.push([word('XTRIM'), this.key, word('MAXLEN'), word('0')]);
      return;
    }
    let deleted = placeholders;
    if (this.can.consumersAndTrimById) {
      const first = this.#first;
      deleted = placeholders.filter((id) => compareIds(id, first) > 0);
      if (deleted.length < placeholders.length)
        commands.push([word('XTRIM'), this.key, word('MINID'), word('='), plain(first)]);
    }
    for (let at = 0; at < deleted.length; at += IDS_AT_ONCE)
      commands.push([word('XDEL'), this.key, ...deleted.slice(at, at + IDS_AT_ONCE).map(plain)]);
  }

  #facts(commands: Words[]): void {
    const { lastId, counters } = this.#about;
    const set = [word('XSETID'), this.key, plain(lastId)];
    if (!this.can.streamCounters || counters === undefined) {
      commands.push(set);
      return;
    }
    const { entriesAdded, maxDeletedId } = counters;
    commands.push([...set, word('ENTRIESADDED'), plain(entriesAdded), word('MAXDELETEDID'), plain(maxDeletedId)]);
    for (const { name, lastId, entriesRead } of this.#groups)
      if (entriesRead !== undefined)
        commands.push([
          word('XGROUP'),
          word('SETID'),
          this.key,
          name,
          plain(lastId),
          word('ENTRIESREAD'),
          plain(entriesRead),
        ]);
  }

  /** Of a stream too long to hold: pending entries that can't be claimed, as far as its facts tell. */
  #doubtful(): string | undefined {
    const first = this.#first ?? '0-0';
    const highest = this.#about.counters?.maxDeletedId;
    const gone = (id: string): boolean =>
      compareIds(id, first) < 0 || highest === undefined || compareIds(id, highest) <= 0;
    const some = this.#consumers.some(({ pending }) => pending.some(({ id }) => gone(id)));
    return some ? 'pending entries that were deleted, of a stream beyond 64 MB' : undefined;
  }
}

const nothing: Buffer[] = [Buffer.from('-'), Buffer.alloc(0)];
