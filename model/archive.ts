import { formatSlots, type SlotRange } from './topology.js';

/** A piece of a shard's stream of commands, as its name in the target tells it. */
export interface Segment {
  /** Name of the object. */
  object: string;
  /** The slots of the shard, as `slotsKey` writes them. */
  slots: string;
  /** What the archive wrote without a break begins a line: a stream goes on from one segment of it to the next. */
  line: string;
  /** Offsets of its first and its last byte. */
  first: number;
  end: number;
  /** What arrived in this time is in it, Unix ms by the archiving worker's clock, which in a line never goes back. */
  from: number;
  to: number;
  /** The replication history that its bytes were read from. */
  replid: string;
  /** Of the primary then: what it propagates, an older server may not understand. */
  release: string;
  /** Nobody archived in between, Unix ms: it begins with what was written then, and came at the end of it. */
  away?: { from: number; to: number };
}

export const archiveFolder = (deployment: string): string => `${deployment}/archive/`;
export const slotsFolder = (deployment: string, slots: string): string => `${archiveFolder(deployment)}${slots}/`;

const LONGEST_SLOTS = 80;

/**
 * A shard by its slots, in the name of a folder. A shard's name goes by the order of slots, and nodes come and go; but where
 * its slots are others, a backup from before does not go together with the stream from then on.
 */
export function slotsKey(slots: readonly SlotRange[]): string {
  const text = formatSlots([...slots].sort(([a], [b]) => a - b)).replaceAll(' ', '_');
  if (text.length <= LONGEST_SLOTS) return text;
  let hash = 0xcbf29ce484222325n;
  for (const letter of text) hash = BigInt.asUintN(64, (hash ^ BigInt(letter.charCodeAt(0))) * 0x100000001b3n);
  return `${text.slice(0, 40).replace(/_[^_]*$/, '')}_and-more-${hash.toString(16).padStart(16, '0')}`;
}

/** `20261129T231400Z-1a2b3c4d`: lines sort as they were begun. */
export const lineId = (at: number, random: string): string =>
  `${new Date(at).toISOString().replace(/[-:]|\.\d+/g, '')}-${random}`;

const DIGITS = 16;
const padded = (offset: number): string => String(offset).padStart(DIGITS, '0');

/** Offsets first, of one width: segments sort as the stream goes. */
export const segmentObject = (
  deployment: string,
  { slots, line, first, end, from, to, replid, release, away }: Omit<Segment, 'object'>,
): string =>
  `${archiveFolder(deployment)}${slots}/${line}/${padded(first)}-${padded(end)}_${from}-${to}_${replid}_${release}${
    away ? `_away-${away.from}-${away.to}` : ''
  }.stream.gz.sealed`;

const NAME =
  /^[^/]+\/archive\/([^/]+)\/([^/]+)\/(\d{16})-(\d{16})_(\d+)-(\d+)_([0-9a-f]{40})_([a-z0-9.-]+)(?:_away-(\d+)-(\d+))?\.stream\.gz\.sealed$/;

/** Undefined of a name that is no segment's. */
export function parseSegment(object: string): Segment | undefined {
  const [, slots = '', line = '', first, end, from, to, replid = '', release = '', since, back] =
    NAME.exec(object) ?? [];
  if (first === undefined) return undefined;
  const numbers = { first: Number(first), end: Number(end), from: Number(from), to: Number(to) };
  const away = since === undefined ? {} : { away: { from: Number(since), to: Number(back) } };
  return { object, slots, line, ...numbers, replid, release, ...away };
}

export const segmentsOf = (objects: readonly string[]): Segment[] =>
  objects.flatMap((object) => parseSegment(object) ?? []);

/** Segments of one line that go on from one to the next, without a byte missing between them. */
export interface Stretch {
  slots: string;
  line: string;
  segments: readonly Segment[];
}

export const lastOf = ({ segments }: Pick<Stretch, 'segments'>): Segment => {
  const last = segments.at(-1);
  if (!last) throw new Error('a stretch has at least one segment');
  return last;
};
export const firstOf = ({ segments: [first] }: Pick<Stretch, 'segments'>): Segment => {
  if (!first) throw new Error('a stretch has at least one segment');
  return first;
};

/**
 * What goes together, each line in the order of its stream. Two workers may have written the same bytes, where one of
 * them was taken for dead, and those that were made into a larger one may still be there: segments that overlap hold the
 * same, and one that adds nothing is left out.
 */
export const stretchesOf = (segments: readonly Segment[]): Stretch[] => laidOut(segments).stretches;

/** Segments that add nothing to one that holds all of them, in the order of the stream. */
export interface Covered {
  by: Segment;
  segments: readonly Segment[];
}

export function coveredOf(segments: readonly Segment[]): Covered[] {
  const found = new Map<Segment, Segment[]>();
  for (const { by, segment } of laidOut(segments).covered) {
    // Of another history the name says something of its own.
    if (by.replid !== segment.replid || by.release !== segment.release) continue;
    const others = found.get(by);
    if (others) others.push(segment);
    else found.set(by, [segment]);
  }
  return [...found].map(([by, covered]) => ({ by, segments: covered }));
}

function laidOut(segments: readonly Segment[]): { stretches: Stretch[]; covered: { by: Segment; segment: Segment }[] } {
  const lines = new Map<string, Segment[]>();
  for (const segment of segments) {
    const key = `${segment.slots}/${segment.line}`;
    // Grown in place: a line may have a million.
    const line = lines.get(key);
    if (line) line.push(segment);
    else lines.set(key, [segment]);
  }
  const stretches: (Stretch & { segments: Segment[] })[] = [];
  const covered: { by: Segment; segment: Segment }[] = [];
  for (const all of lines.values()) {
    // By the name at last: of two that hold the same, everybody takes the same one.
    all.sort((a, b) => a.first - b.first || b.end - a.end || (a.object < b.object ? -1 : 1));
    let current: (Stretch & { segments: Segment[] }) | undefined;
    let last: Segment | undefined;
    for (const segment of all) {
      if (last && segment.end <= last.end) {
        covered.push({ by: last, segment });
        continue;
      }
      if (!current || !last || segment.first > last.end + 1)
        stretches.push((current = { slots: segment.slots, line: segment.line, segments: [] }));
      current.segments.push((last = segment));
    }
  }
  stretches.sort((a, b) => a.line.localeCompare(b.line) || firstOf(a).first - firstOf(b).first);
  return { stretches, covered };
}

/** Where a snapshot stands. */
export interface Standing {
  replid: string;
  offset: number;
}

/**
 * What goes on behind a snapshot of a shard with these slots: the segment with its next byte, in the history that it was taken
 * of, and those after it. Undefined where that byte isn't there, or the slots are others since.
 */
export function runAfter(
  stretches: readonly Stretch[],
  { replid, offset }: Standing,
  slots: string,
): Stretch | undefined {
  for (const stretch of stretches) {
    if (stretch.slots !== slots) continue;
    const at = stretch.segments.findIndex(
      // One that ends there, of its history: the next may be of the history that a failover began.
      (it) => it.replid === replid && it.first <= offset + 1 && offset <= it.end,
    );
    if (at >= 0) return { ...stretch, segments: stretch.segments.slice(at) };
  }
  return undefined;
}

/** How one shard's archive fares, for heartbeats and metrics. */
export interface ArchiveState {
  shard: string;
  line: string;
  /** `host:port` that it reads from; absent while it has none. */
  node?: string;
  role?: 'primary' | 'replica';
  /** Offset up to which the target has it. */
  stored: number;
  /** How old the oldest byte is that has arrived and is not in the target yet, ms. */
  behindMs: number;
  /** How many have arrived and are not in the target yet. */
  heldBytes: number;
  /** Bytes that it has put into the target since it began. */
  sealedBytes: number;
  /** Why it does not go on now. */
  problem?: string;
}
