import { isModule, type KeyType, type Dialect } from '../rdb/layout.js';
import type { ComparedShard } from '../../model/backup-restore.js';
import { formatDuration } from '../../model/duration.js';
import { RolloutError } from '../../model/failures.js';
import { dumpOf, readDump, versionOfType } from '../rdb/dump.js';
import { ErrorReply, type Reply } from '../resp.js';
import { Batch } from '../restore/batch.js';
import { sameHyperLogLog } from './hyperloglog.js';
import type { Pipe } from './pipe.js';
import { MISSING, timeOf, type Side } from './side.js';
import { digestInParts } from './value-in-parts.js';
import { ValueDigest } from './value-digest.js';
import { printable } from './values.js';

/** A key as a snapshot has it. */
export interface Wanted {
  key: Buffer;
  expiresAt: number | undefined;
  /** Is it asked when it expires? */
  expiry: boolean;
  /**
   * Of a string its bytes; of what was not decoded its bytes; of what was, in one piece, a digest; of what is large a digest, of
   * its pages, undefined where it can't be compared. Absent where only the key's presence is looked at.
   */
  value?:
    | { text: Buffer }
    | { code: number; raw: Buffer; format: Dialect }
    | { whole: string | undefined }
    | { digest: string | undefined; type: KeyType };
}

/** What a comparison with a snapshot has found so far. */
export type Found = Omit<ComparedShard, 'shard'>;

export const foundNothing = (): Found => ({
  ...{ keys: 0, compared: 0, same: 0, different: 0, missing: 0, expired: 0, examples: [] },
});

export interface Asked {
  pipe: Pipe;
  side: Side;
  /** It tells expiries as they are stored (7.0). */
  exact: boolean;
  /** By how much its clock is ahead of ours, ms. */
  aheadMs: number;
  /** By how much an expiry may be off, ms. */
  expiryToleranceMs: number;
  /** The names of the commands, as the server has them. */
  words: Words;
}

/** What of a key is asked for. */
export const questions = ['EXISTS', 'GET', 'DUMP', 'PEXPIRETIME', 'PTTL', 'TIME'] as const;
export type Words = Readonly<Record<(typeof questions)[number], Buffer>>;

const EXAMPLES = 20;
/** A node expires a key when its own clock says so, which was read a while ago, ms. */
const CLOCK_MS = 2000;
/** What TIME and PTTL, or two roundings, are apart for, ms. */
const ROUNDED_MS = 50;

/** Asks a node for some keys, in one round trip but for large values, and notes what is not as it should be. */
export async function compareBatch(asked: Asked, batch: readonly Wanted[], found: Found): Promise<void> {
  const { pipe, aheadMs } = asked;
  const replies = await ask(asked, batch);
  const during = asked.exact ? [0, 0] : [replies.shift(), replies.pop()].map((it) => timeOf(asked.side, it));
  const isPast = (at = Infinity): boolean => at <= Date.now() + aheadMs + CLOCK_MS;
  const expired = (): void => {
    found.expired++;
    found.keys--;
  };
  let at = 0;
  for (const wanted of batch) {
    const { key, value, expiresAt } = wanted;
    const reply = replies[at++] ?? null;
    const expiry = wanted.expiry ? (replies[at++] ?? null) : undefined;
    const refused = reply instanceof ErrorReply ? reply : expiry instanceof ErrorReply ? expiry : undefined;
    if (refused && !refused.message.startsWith('WRONGTYPE')) throw refusal(pipe.address, refused.message);
    // It may have expired between the two questions, too.
    if (reply === null || reply === 0 || expiry === MISSING) {
      if (isPast(expiresAt)) {
        expired();
        continue;
      }
      found.missing++;
      note(found, key, 'is not there');
      continue;
    }
    if (value === undefined) continue;
    const same = !refused && ('digest' in value ? await sameInParts(pipe, key, value) : sameValue(value, reply));
    // Reading a large one takes a while.
    if (!same && 'digest' in value && isPast(expiresAt)) {
      expired();
      continue;
    }
    found.compared++;
    const off = expiry === undefined ? 0 : expiryOff(expiresAt, Number(expiry), during);
    if (same && Math.abs(off) <= asked.expiryToleranceMs) {
      found.same++;
      if (off !== 0) found.expiryOffMs = Math.max(found.expiryOffMs ?? 0, Math.abs(off));
    } else {
      found.different++;
      note(found, key, same ? offText(off) : 'has another value');
    }
  }
}

function ask({ pipe, exact, words }: Asked, batch: readonly Wanted[]): Promise<Reply[]> {
  const commands = new Batch();
  let due = 0;
  const time = (): void => {
    if (exact) return;
    commands.command(1);
    commands.word(words.TIME);
    due++;
  };
  const add = (name: Buffer, key: Buffer): void => {
    commands.command(2);
    commands.word(name);
    commands.word(key);
    due++;
  };
  time();
  for (const { key, value, expiry } of batch) {
    const isText = value !== undefined && 'text' in value;
    add(value === undefined || 'digest' in value ? words.EXISTS : isText ? words.GET : words.DUMP, key);
    if (expiry) add(exact ? words.PEXPIRETIME : words.PTTL, key);
  }
  time();
  return pipe.sendEncoded(commands.bytes, due);
}

function note(found: Pick<Found, 'examples'>, key: Buffer, what: string): void {
  if (found.examples.length < EXAMPLES) found.examples.push(`${printable(key)} ${what}`);
}

/** What can't be compared, such as fields that expire, is taken as it is. */
async function sameInParts(
  pipe: Pipe,
  key: Buffer,
  { digest, type }: { digest: string | undefined; type: KeyType },
): Promise<boolean> {
  return digest === undefined || (await digestInParts(pipe, key, type)) === digest;
}

function sameValue(value: Exclude<NonNullable<Wanted['value']>, { digest: unknown }>, reply: Reply): boolean {
  if (!Buffer.isBuffer(reply)) return false;
  // PFCOUNT writes what it has counted into the value.
  if ('text' in value) return value.text.equals(reply) || sameHyperLogLog(value.text, reply);
  if ('whole' in value) return value.whole === undefined || value.whole === digestOf(reply);
  const { code, raw, format } = value;
  // Most are just as they were, and need no decoding.
  if (reply[0] === code && raw.equals(reply.subarray(1, reply.length - 10))) return true;
  if (isModule(code)) return reply[0] === code;
  const [a, b] = [digestOf(dumpOf(code, raw, versionOfType(code, format))), digestOf(reply)];
  return a === undefined || b === undefined || a === b;
}

function digestOf(dump: Buffer): string | undefined {
  const digest = new ValueDigest('any release');
  for (const part of readDump(dump)) digest.add(part);
  return digest.value();
}

/**
 * By how much later it expires than it should, ms; infinite where it never does, or never should.
 *
 * @param found ms from some moment between these two of the node's clock, or, both being 0, Unix ms; below 0 without an expiry
 */
function expiryOff(wanted: number | undefined, found: number, [from = 0, to = 0]: readonly number[]): number {
  if (wanted === undefined) return found === -1 ? 0 : -Infinity;
  if (found < 0) return Infinity;
  if (to === 0) return found - wanted;
  const [least, most] = [from + found - ROUNDED_MS - wanted, to + found + ROUNDED_MS - wanted];
  return Math.round(least > 0 ? least : Math.min(most, 0));
}

const offText = (ms: number): string =>
  Number.isFinite(ms)
    ? `expires ${formatDuration(Math.abs(ms))} ${ms > 0 ? 'later' : 'sooner'} than it should`
    : `${ms > 0 ? 'expires never' : 'expires'}, as it should not`;

function refusal(address: string, message: string): RolloutError {
  if (message.startsWith('NOPERM'))
    return new RolloutError('MissingPermission', `${address} refused the comparison: ${message}`);
  return new RolloutError('RolesUnsettled', `${address} can't be compared now: ${message}`);
}
