import type { ComparedShard } from '../../model/backup-restore.js';
import { RolloutError } from '../../model/failures.js';
import { atLeast } from '../../model/release.js';
import { at, type Endpoint } from '../connection.js';
import { slotOf } from '../probe/slot.js';
import { dumpOf, readDump, versionOfType } from '../rdb/dump.js';
import type { Dialect } from '../rdb/layout.js';
import { RdbReader } from '../rdb/reader.js';
import { ErrorReply, type Command, type Reply } from '../resp.js';
import { readTopology } from '../topology.js';
import { Pipe } from '../verify/pipe.js';
import { ValueDigest } from '../verify/value-digest.js';
import { printable } from '../verify/values.js';

export interface CompareInput {
  snapshot: AsyncIterable<Buffer>;
  endpoint: Endpoint;
  seeds: readonly string[];
  selects?: (key: Buffer) => boolean;
  onProgress?: (keys: number) => void;
  signal?: AbortSignal;
}

/** A key as the snapshot has it. */
interface Wanted {
  key: Buffer;
  expiresAt: number | undefined;
  /** Of a string its bytes, of what was not decoded its bytes, else a digest; undefined where it can't be compared. */
  value: { text: Buffer } | { code: number; raw: Buffer; format: Dialect } | { digest: string | undefined };
}

interface Shard {
  pipe: Pipe;
  /** Keys' expiries as they are stored (7.0). */
  exact: boolean;
  batch: Wanted[];
  underWay: Promise<void>[];
}

const BATCH = 200;
const BATCH_BYTES = 512 * 1024;
const UNDER_WAY = 3;
const RAW_BYTES = 64 * 1024;
const EXAMPLES = 10;
/** A node may expire a key when its own clock says so, which is not ours, and PTTL is of another moment than TIME, ms. */
const CLOCK_MS = 2000;

/**
 * Compares what a cluster has with a shard's snapshot, key by key: values as they are decoded, whatever their encodings, and
 * expiries. Memory is bounded, but for single long values, which the node sends whole.
 *
 * @throws RolloutError RolesUnsettled, Unreachable, NodeHung, MissingPermission; BackupFailed and whatever the snapshot throws
 */
export async function compareWithTarget(input: CompareInput): Promise<Omit<ComparedShard, 'shard'>> {
  const { endpoint, seeds, selects, signal, onProgress } = input;
  const { shards } = await readTopology(endpoint, seeds);
  const found = { keys: 0, compared: 0, same: 0, different: 0, missing: 0, expired: 0, examples: [] as string[] };
  const bySlot = new Array<Shard | undefined>(16384).fill(undefined);
  const all: Shard[] = [];
  try {
    for (const { primary, slots } of shards) {
      const pipe = await Pipe.open(at(endpoint, primary.address), {
        ...{ readonly: false, noTouch: atLeast(primary.release, 7, 2), timeoutMs: 60_000 },
        ...(signal ? { signal } : {}),
      });
      const shard: Shard = { pipe, exact: atLeast(primary.release, 7, 0), batch: [], underWay: [] };
      all.push(shard);
      for (const [from, to] of slots) bySlot.fill(shard, from, to + 1);
    }
    const flush = (shard: Shard): void => {
      const { batch } = shard;
      if (batch.length === 0) return;
      shard.batch = [];
      const sent = compareBatch(shard, batch, found);
      // Waited for later, in its turn.
      sent.catch(() => undefined);
      shard.underWay.push(sent);
    };
    let bytes = 0;
    const add = (wanted: Wanted, size: number): void => {
      const { expiresAt, key } = wanted;
      if (expiresAt !== undefined && expiresAt <= Date.now()) {
        found.expired++;
        return;
      }
      const shard = bySlot[slotOf(key)];
      if (!shard) throw new RolloutError('RolesUnsettled', `nobody serves slot ${slotOf(key)}`);
      found.keys++;
      shard.batch.push(wanted);
      bytes += size;
      if (shard.batch.length < BATCH && bytes < BATCH_BYTES) return;
      bytes = 0;
      flush(shard);
    };
    let digest = new ValueDigest(true);
    const reader = new RdbReader({
      ...(selects ? { keep: selects } : {}),
      raw: {
        upTo: RAW_BYTES,
        may: () => true,
        take: ({ key, expiresAt, code, value, format }) =>
          add({ key, expiresAt, value: { code, raw: value, format } }, value.length),
      },
    });
    for await (const chunk of input.snapshot) {
      for (const record of reader.read(chunk)) {
        if (record.kind !== 'key') continue;
        const { key, expiresAt, part, first, last } = record;
        if (first && last && part.type === 'string' && part.value.length <= RAW_BYTES) {
          add({ key, expiresAt, value: { text: part.value } }, part.value.length);
          continue;
        }
        if (first) digest = new ValueDigest(true);
        digest.add(part);
        if (last) add({ key: Buffer.from(key), expiresAt, value: { digest: digest.value() } }, BATCH_BYTES);
      }
      signal?.throwIfAborted();
      for (const shard of all) while (shard.underWay.length > UNDER_WAY) await shard.underWay.shift();
      onProgress?.(found.keys + found.expired);
    }
    reader.end();
    all.forEach(flush);
    await Promise.all(all.flatMap(({ underWay }) => underWay));
    return found;
  } finally {
    for (const { pipe } of all) pipe[Symbol.dispose]();
  }
}

type Found = Omit<ComparedShard, 'shard'>;

async function compareBatch({ pipe, exact }: Shard, batch: readonly Wanted[], found: Found): Promise<void> {
  const commands = batch.flatMap(({ key, value }): Command[] => [
    ['text' in value ? 'GET' : 'DUMP', key],
    [exact ? 'PEXPIRETIME' : 'PTTL', key],
  ]);
  const replies = await pipe.send(commands);
  for (const [i, wanted] of batch.entries()) {
    const [reply, expiry] = [replies[2 * i] ?? null, replies[2 * i + 1] ?? null];
    const refused = [reply, expiry].find((it) => it instanceof ErrorReply);
    if (refused && !refused.message.startsWith('WRONGTYPE')) throw refusal(pipe.address, refused.message);
    const { key, expiresAt } = wanted;
    const differs = (what: string): void => {
      found.different++;
      example(found, `${printable(key)} ${what}`);
    };
    if (reply === null) {
      if (expiresAt !== undefined && expiresAt <= Date.now() + CLOCK_MS) {
        found.expired++;
        found.keys--;
        continue;
      }
      found.missing++;
      example(found, `${printable(key)} is not there`);
      continue;
    }
    found.compared++;
    if (refused || !sameValue(wanted, reply)) differs('has another value');
    else if (!sameExpiry(expiresAt, Number(expiry), exact)) differs('has another expiry');
    else found.same++;
  }
}

function sameValue({ value }: Wanted, reply: Reply): boolean {
  if (!Buffer.isBuffer(reply)) return false;
  if ('text' in value) return value.text.equals(reply);
  if ('raw' in value) {
    // Most are just as they were, and need no decoding.
    if (reply[0] === value.code && value.raw.equals(reply.subarray(1, reply.length - 10))) return true;
    if (value.code === 6 || value.code === 7) return reply[0] === value.code;
    return sameDigest(
      digestOf(dumpOf(value.code, value.raw, versionOfType(value.code, value.format))),
      digestOf(reply),
    );
  }
  return sameDigest(value.digest, digestOf(reply));
}

/** What can't be compared, such as fields that expire, is taken as it is. */
const sameDigest = (a: string | undefined, b: string | undefined): boolean =>
  a === undefined || b === undefined || a === b;

function digestOf(dump: Buffer): string | undefined {
  const digest = new ValueDigest(true);
  for (const part of readDump(dump)) digest.add(part);
  return digest.value();
}

/** @param found Unix ms where it is exact, else ms from now; below 0 without one */
function sameExpiry(wanted: number | undefined, found: number, exact: boolean): boolean {
  if (wanted === undefined || found < 0) return wanted === undefined && found === -1;
  return exact ? found === wanted : Math.abs(Date.now() + found - wanted) <= CLOCK_MS + 3000;
}

function example(found: Found, text: string): void {
  if (found.examples.length < EXAMPLES) found.examples.push(text);
}

function refusal(address: string, message: string): RolloutError {
  if (message.startsWith('NOPERM'))
    return new RolloutError('MissingPermission', `${address} refused the comparison: ${message}`);
  return new RolloutError('RolesUnsettled', `${address} can't be compared now: ${message}`);
}
