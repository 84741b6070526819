import type { SegmentHeader } from '../integrations/archive-segment.js';
import type { ArchiveStore } from '../integrations/archive-store.js';
import type { BackupStore } from '../integrations/backup-store.js';
import type { SealingKeys } from '../integrations/sealed.js';
import { runAfter, slotsKey, stretchesOf, type Segment } from '../model/archive.js';
import type { BackupManifest, SealedShard } from '../model/backup-manifest.js';
import { RolloutError } from '../model/failures.js';
import { planRecovery, targetsBefore, TOGETHER_MS, type Match, type Target } from '../model/recovery.js';
import type { PointAsked, RecoveryPoint } from '../model/recovery-point.js';
import { CommandScanner } from '../redis/replication/command-scanner.js';
import { archivedStream } from './archived-stream.js';

/** At a list of segments that others change meanwhile. */
const ATTEMPTS = 5;

export interface PointSources {
  backups: BackupStore;
  archive: ArchiveStore;
  keys: SealingKeys;
  signal: AbortSignal;
}

/**
 * Finds the point that somebody asked for: the backup to begin from, and of each shard the exact offset, at which neither a
 * command nor a transaction is under way.
 *
 * @throws RolloutError BadInput, with the nearest points that can be had; Damaged, naming an object
 */
export async function resolvePoint(asked: PointAsked, sources: PointSources): Promise<RecoveryPoint> {
  const { backups, archive } = sources;
  const manifests = await backups.manifests();
  for (let attempt = 1; ; attempt++) {
    const segments = stretchesOf(await archive.segments()).flatMap((it) => it.segments);
    try {
      return await pointIn(asked, { ...sources, segments, manifests });
    } catch (error) {
      // One that is gone may have been made part of a larger one since it was listed.
      if (attempt === ATTEMPTS || !(await archive.lacks(error))) throw error;
    }
  }
}

async function pointIn(asked: PointAsked, sources: Planning): Promise<RecoveryPoint> {
  const { manifests, segments } = sources;
  const targetOf = await targetsOf(asked, sources);
  const found = planRecovery({ backups: manifests, segments }, targetOf);
  if ('refused' in found) throw new RolloutError('BadInput', `${textOf(asked)} can't be had: ${found.refused}`);
  const shards: RecoveryPoint['shards'] = [];
  for (const { shard, target, segments: needed } of found.shards) {
    const { offset, at } = await exactly(shard, needed, target, sources);
    shards.push({ shard: shard.shard, offset, at: new Date(at).toISOString() });
  }
  return { backup: found.backup.backup, asked: textOf(asked), shards };
}

type Planning = PointSources & { segments: readonly Segment[]; manifests: readonly BackupManifest[] };

async function targetsOf(asked: PointAsked, sources: Planning): Promise<(slots: string, shard: string) => Target> {
  if (asked.kind === 'at') return () => ({ kind: 'instant', ms: asked.ms });
  if (asked.kind === 'before') {
    const targets = targetsBefore(await findLast(asked.words, sources));
    if (targets) return targets;
    throw new RolloutError('BadInput', `${textOf(asked)} can't be had: the archive has no such command`);
  }
  const { shard, offset } = asked;
  const own: Target = { kind: 'offset', offset };
  const at = await arrivalOf(shard, offset, sources);
  return (_, name) => (name === shard ? own : { kind: 'instant', ms: at });
}

/** When an offset of a shard had arrived: the others go there, too. */
async function arrivalOf(
  shard: string,
  offset: number,
  { manifests, segments, archive, keys }: Planning,
): Promise<number> {
  for (const { shards } of manifests) {
    const sealed = shards.find((it) => it.shard === shard);
    if (!sealed || sealed.offset > offset) continue;
    const run = runAfter(stretchesOf(segments), sealed, slotsKey(sealed.slots));
    const segment = run?.segments.find((it) => it.first <= offset && offset <= it.end);
    if (!segment) return Date.parse(sealed.cutAt);
    for await (const part of archive.get(segment, keys))
      if ('bytes' in part && part.first + part.bytes.length > offset) return part.at;
  }
  throw new RolloutError('BadInput', `no backup of ${shard} stands at offset ${offset} or before it`);
}

/** Where the command was, and in which segment: the last of each shard, and what came near it to others. */
async function findLast(words: readonly string[], { archive, keys, segments, signal }: Planning): Promise<Match[]> {
  const matches: Match[] = [];
  let last = -Infinity;
  for (const segment of [...segments].sort((a, b) => b.to - a.to || b.end - a.end)) {
    if (segment.to < last - TOGETHER_MS) break;
    signal.throwIfAborted();
    for (const match of await matchesIn(segment, words, { archive, keys, segments })) {
      matches.push(match);
      last = Math.max(last, match.at);
    }
  }
  return matches;
}

async function matchesIn(
  segment: Segment,
  words: readonly string[],
  { archive, keys, segments }: Pick<Planning, 'archive' | 'keys' | 'segments'>,
): Promise<Match[]> {
  const longest = Math.max(...words.map((it) => Buffer.byteLength(it)));
  const { begun, after } = await alignedBefore(segment, { archive, keys, segments });
  const scanner = new CommandScanner(after, { keep: words.length, keepBytes: longest + 1 });
  const found: Match[] = [];
  const { slots } = segment;
  for await (const { bytes, arrivedAt } of archivedStream({ archive, keys }, begun, { after, upTo: segment.end }))
    scanner.push(bytes, ({ name, args, before, offset }) => {
      if (offset < segment.first || name !== words[0]?.toUpperCase() || args.length < words.length) return;
      if (!words.every((word, i) => i === 0 || args[i]?.equals(Buffer.from(word)))) return;
      const object = segments.find((it) => it.slots === slots && it.line === segment.line && it.first <= before && before <= it.end)?.object; // prettier-ignore
      found.push({ slots, object: object ?? segment.object, offset: before, at: arrivedAt });
    });
  return found;
}

/** Segments from the last on that begins between commands, up to this one: a command may be larger than a segment. */
async function alignedBefore(
  segment: Segment,
  { archive, keys, segments }: Pick<Planning, 'archive' | 'keys' | 'segments'>,
): Promise<{ begun: Segment[]; after: number }> {
  const begun = [segment];
  for (let first = segment; !(await headerOf(first, { archive, keys })).aligned;) {
    const { slots, line } = segment;
    const before = segments.find(
      (it) => it.slots === slots && it.line === line && it.first < first.first && it.end >= first.first - 1,
    );
    if (!before) break;
    begun.unshift((first = before));
  }
  return { begun, after: (begun[0]?.first ?? 1) - 1 };
}

async function headerOf(
  segment: Segment,
  { archive, keys }: Pick<PointSources, 'archive' | 'keys'>,
): Promise<SegmentHeader> {
  for await (const part of archive.get(segment, keys)) if (!('bytes' in part)) return part;
  throw new RolloutError('Damaged', `${segment.object}: it has no beginning`);
}

/** The last offset at or before the target where nothing is under way, and when what is before it had arrived. */
async function exactly(
  shard: SealedShard,
  needed: readonly Segment[],
  target: Target,
  { archive, keys, signal }: PointSources,
): Promise<{ offset: number; at: number }> {
  const cutAt = Date.parse(shard.cutAt);
  const last = needed.at(-1);
  if (!last || (target.kind === 'offset' && target.offset === shard.offset)) return { offset: shard.offset, at: cutAt };
  const { begun, after: aligned } = await alignedBefore(last, { archive, keys, segments: needed });
  const after = Math.max(aligned, shard.offset);
  const scanner = new CommandScanner(after);
  let at = Math.max(cutAt, begun[0]?.from ?? 0);
  /** It stands there at the instant, if nothing was written up to and with `unless`: when that was is not known. */
  let found: { offset: number; at: number; unless: number; refusal: RolloutError } | undefined;
  const upTo = target.kind === 'offset' ? target.offset : last.end;
  for await (const { bytes, arrivedAt, late } of archivedStream({ archive, keys }, begun, { after, upTo })) {
    signal.throwIfAborted();
    const before = scanner.boundary;
    if (!found && target.kind === 'instant' && arrivedAt > target.ms) {
      if (!late || target.ms <= late.since || before >= late.upTo) return { offset: before, at };
      found = { offset: before, at, unless: late.upTo, refusal: notKnown(shard, target.ms, late.since, arrivedAt) };
    }
    scanner.push(bytes, ({ name, before: begins }) => {
      if (found && begins < found.unless && !QUIET.has(name)) throw found.refusal;
    });
    if (!found && scanner.boundary > before) at = arrivedAt;
    else if (found && scanner.boundary >= found.unless) return found;
  }
  if (found) throw found.refusal;
  return { offset: scanner.boundary, at };
}

/** Commands that a primary sends though nobody writes. */
const QUIET: ReadonlySet<string> = new Set(['PING', 'REPLCONF', 'SELECT']);

const notKnown = ({ shard }: SealedShard, ms: number, since: number, arrivedAt: number): RolloutError =>
  new RolloutError(
    'BadInput',
    `${shard} can't be had at ${iso(ms)}: nothing was archived from ${iso(since)} on, and what was written since came at ${iso(arrivedAt)}, so what of it was there by then is not known. The nearest that can be had: before it ${iso(since)}, after it ${iso(arrivedAt)}`,
  );

const iso = (ms: number): string => new Date(ms).toISOString();

function textOf(asked: PointAsked): string {
  if (asked.kind === 'at') return `the state of ${new Date(asked.ms).toISOString()}`;
  if (asked.kind === 'before') return `the state before the last ${asked.words.join(' ')}`;
  return `the state of ${asked.shard} at offset ${asked.offset}`;
}
