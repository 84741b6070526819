import { createHash } from 'node:crypto';
import { gone, usable, type Side } from './side.js';
import { textOf, type Command, type Reply } from '../resp.js';

/** Digests of a value read in order, piece by piece, so that no value is ever held whole. */
export interface Digest {
  /** One for each piece: the first that differs says where. */
  marks: string[];
  /** What each piece is called: `bytes 0–524287`. */
  labels: string[];
  bytes: number;
}

const STRING_CHUNK = 512 * 1024;
const ENTRIES = 512;

/** Reads a large string. `gone` when it is none any more. */
export async function digestString(side: Side, key: Buffer): Promise<Digest | typeof gone> {
  const out: Digest = { marks: [], labels: [], bytes: 0 };
  for (let at = 0; ; at += STRING_CHUNK) {
    const chunk = await one(side, ['GETRANGE', key, at, at + STRING_CHUNK - 1]);
    if (!Buffer.isBuffer(chunk)) return gone;
    add(out, `bytes ${at}–${at + STRING_CHUNK - 1}`, chunk);
    if (chunk.length < STRING_CHUNK) return out;
  }
}

/** Reads a long list, `step` elements at a time. `gone` when it is none any more. */
export async function digestList(side: Side, key: Buffer, step: number): Promise<Digest | typeof gone> {
  const out: Digest = { marks: [], labels: [], bytes: 0 };
  for (let at = 0; ; at += step) {
    const chunk = await one(side, ['LRANGE', key, at, at + step - 1]);
    if (!Array.isArray(chunk)) return gone;
    add(out, `elements ${at}–${at + step - 1}`, chunk);
    if (chunk.length < step) return out;
  }
}

/**
 * Reads a stream: last id, entries, groups with their last delivered id, and every pending entry with its owner.
 * Left out is what differs between equal streams: entries-read, lag, max-deleted-entry-id and entries-added (7.0 and
 * newer), idle times, consumers that own nothing (before 7.0 their creation isn't replicated), and delivery counts
 * (reading one's own history raises them on the node that was asked only).
 *
 * @param step entries read at a time
 */
export async function digestStream(side: Side, key: Buffer, step = ENTRIES): Promise<Digest | typeof gone> {
  const out: Digest = { marks: [], labels: [], bytes: 0 };
  const [stream, groups] = await side.pipe.send([
    ['XINFO', 'STREAM', key],
    ['XINFO', 'GROUPS', key],
  ]);
  const [info, list] = [usable(side, 'XINFO', stream), usable(side, 'XINFO', groups)];
  if (!Array.isArray(info) || !Array.isArray(list)) return gone;
  add(out, 'the last id', [fieldOf(info, 'last-generated-id')]);
  for (let from = '-'; ;) {
    const chunk = await one(side, ['XRANGE', key, from, '+', 'COUNT', step]);
    if (!Array.isArray(chunk)) return gone;
    add(out, `entries from ${from === '-' ? 'the start' : from}`, chunk);
    if (chunk.length < step) break;
    from = after(chunk.at(-1));
  }
  const named = list
    .filter((group) => Array.isArray(group))
    .map((group) => ({ name: fieldOf(group, 'name') as Buffer, last: fieldOf(group, 'last-delivered-id') }))
    .sort((a, b) => Buffer.compare(a.name, b.name));
  for (const { name, last } of named) {
    add(out, `group ${name.toString()}: last delivered id`, [name, last]);
    for (let from = '-'; ;) {
      const pending = await one(side, ['XPENDING', key, name, from, '+', ENTRIES]);
      if (!Array.isArray(pending)) return gone;
      const owned = pending.map((entry) => (Array.isArray(entry) ? entry.slice(0, 2) : entry));
      add(out, `group ${name.toString()}: pending entries`, owned);
      if (pending.length < ENTRIES) break;
      from = after(pending.at(-1));
    }
  }
  return out;
}

/** The first piece that isn't the same in both; undefined when all are. */
export function firstDifferent(a: Digest, b: Digest): string | undefined {
  const length = Math.max(a.marks.length, b.marks.length);
  for (let i = 0; i < length; i++) if (a.marks[i] !== b.marks[i]) return a.labels[i] ?? b.labels[i];
  return undefined;
}

async function one(side: Side, command: Command): Promise<ReturnType<typeof usable>> {
  const [reply] = await side.pipe.send([command]);
  return usable(side, command[0], reply);
}

function add(digest: Digest, label: string, reply: Reply): void {
  const hash = createHash('sha256');
  feed(reply);
  digest.marks.push(hash.digest('base64'));
  digest.labels.push(label);

  function feed(part: Reply): void {
    if (Buffer.isBuffer(part)) {
      digest.bytes += part.length;
      hash.update(`$${part.length}:`).update(part);
    } else if (Array.isArray(part)) {
      hash.update(`*${part.length}:`);
      for (const inner of part) feed(inner);
    } else hash.update(`:${textOf(part)}:`);
  }
}

export function fieldOf(pairs: Reply[], name: string): Reply {
  for (let i = 0; i + 1 < pairs.length; i += 2) if (textOf(pairs[i]) === name) return pairs[i + 1] ?? null;
  return null;
}

/** The smallest id behind an entry's: the exclusive ranges `(id` came with 6.2. */
export function after(entry: Reply | undefined): string {
  const [ms = '0', sequence = '0'] = textOf(Array.isArray(entry) ? entry[0] : undefined).split('-');
  const next = BigInt(sequence) + 1n;
  return next > 0xffffffffffffffffn ? `${BigInt(ms) + 1n}-0` : `${ms}-${next}`;
}
