import type { SegmentHeader, StreamRecord } from '../integrations/archive-segment.js';
import type { Segment } from '../model/archive.js';
import { CommandScanner } from '../redis/replication/command-scanner.js';
import type { StreamPoint } from '../redis/replication/position.js';

/** A segment that is to be put into the target. */
export interface FilledSegment {
  segment: Omit<Segment, 'object'>;
  header: SegmentHeader;
  records: StreamRecord[];
}

/** From whom the bytes come that follow. */
export type ReadFrom = Pick<SegmentHeader, 'replid' | 'release' | 'node' | 'role' | 'tookOver' | 'late'>;

export interface LinePlace {
  slots: string;
  line: string;
  /** Where the line stands: what comes next begins behind it. */
  after: StreamPoint;
  /** No earlier time is given to what comes, Unix ms. */
  from: number;
}

/** What has arrived of a line and is not in a segment yet. Segments are cut where no command and no transaction is under way. */
export class ArchiveBuffer {
  #records: StreamRecord[] = [];
  #bytes = 0;
  #scanner: CommandScanner;
  /** Offset before the first byte that is held. */
  #after: number;
  /** When the last segment ended: the next one covers the time since. */
  #from: number;
  #last: number;
  #aligned = true;
  #reading: ReadFrom | undefined;

  constructor(private readonly place: LinePlace) {
    this.#after = place.after.offset;
    this.#scanner = new CommandScanner(this.#after);
    this.#from = this.#last = place.from;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** When the first byte came that is held. */
  get since(): number | undefined {
    return this.#records[0]?.at;
  }

  /** Where to ask a node to go on. */
  get point(): StreamPoint {
    return { replid: this.#reading?.replid ?? this.place.after.replid, offset: this.#scanner.offset };
  }

  /** From here on what comes is of another node, perhaps of the history that a failover began. */
  from(reading: ReadFrom, now: number): FilledSegment | undefined {
    const before = this.#reading;
    const same = before?.replid === reading.replid && before.release === reading.release && !reading.late;
    const filled = before === undefined || same ? undefined : this.cut(now);
    this.#reading = reading;
    return filled;
  }

  push(bytes: Buffer, now: number): void {
    this.#last = Math.max(this.#last, now);
    this.#records.push({ at: this.#last, first: this.#scanner.offset + 1, bytes });
    this.#scanner.push(bytes);
    this.#bytes += bytes.length;
  }

  /**
   * A broken link: what has not come to its end is given up, and had again from there. A node that took over may never have
   * had the rest.
   */
  giveUpTail(): void {
    const { boundary, offset } = this.#scanner;
    if (boundary < this.#after || boundary === offset) return;
    this.#records = this.#upTo(boundary);
    this.#bytes = boundary - this.#after;
    this.#scanner = new CommandScanner(boundary);
  }

  /**
   * What is held as a segment, as far as its last command; undefined where that is nothing.
   *
   * @param anywhere cuts a command that is under way, too: it is larger than a segment may be
   */
  cut(now: number, { anywhere = false }: { anywhere?: boolean } = {}): FilledSegment | undefined {
    const { boundary, offset } = this.#scanner;
    const end = boundary > this.#after ? boundary : anywhere ? offset : this.#after;
    if (end === this.#after || !this.#reading) return undefined;
    const records = this.#upTo(end);
    const rest = this.#restAfter(end);
    const { slots, line } = this.place;
    const { replid, release } = this.#reading;
    const first = this.#after + 1;
    // Of what stays, the first byte is older than now: the segment ends in time where that begins.
    const to = Math.max(
      this.#from,
      records.at(-1)?.at ?? 0,
      Math.min(rest[0]?.at ?? Infinity, Math.max(this.#last, now)),
    );
    const { late, ...reading } = this.#reading;
    const isLate = late !== undefined && first <= late.upTo;
    const lastLate = isLate ? records.findLast((it) => it.first <= late.upTo) : undefined;
    const away = isLate && lastLate ? { away: { from: late.since, to: lastLate.at } } : {};
    const header: SegmentHeader = {
      ...{ format: 1, first, aligned: this.#aligned, ...reading },
      ...(isLate ? { late } : {}),
    };
    this.#aligned = end === boundary;
    this.#records = rest;
    this.#bytes = offset - end;
    this.#after = end;
    const segment = { slots, line, first, end, from: this.#from, to, replid, release, ...away };
    this.#from = this.#last = to;
    return { segment, header, records };
  }

  #upTo(end: number): StreamRecord[] {
    return this.#records.flatMap(({ at, first, bytes }) => {
      const kept = bytes.subarray(0, Math.max(0, end - first + 1));
      return kept.length === 0 ? [] : [{ at, first, bytes: kept }];
    });
  }

  #restAfter(end: number): StreamRecord[] {
    return this.#records.flatMap(({ at, first, bytes }) => {
      const passed = Math.max(0, end - first + 1);
      return passed >= bytes.length ? [] : [{ at, first: first + passed, bytes: bytes.subarray(passed) }];
    });
  }
}
