import type { SlotRange } from '../../model/topology.js';
import { RolloutError } from '../../model/failures.js';
import { at, type Endpoint } from '../connection.js';
import { slotOf } from '../probe/slot.js';
import { RdbReader } from '../rdb/reader.js';
import { textOf } from '../resp.js';
import { Pipe } from '../verify/pipe.js';
import { printable } from '../verify/values.js';
import { Lease, type Attempt } from './attempt.js';
import { hashOf, KeySet, type KeyHash } from './key-set.js';
import { TargetLost } from './lane.js';
import { selects } from './selection.js';
import { Targets } from './targets.js';

export interface OthersInput {
  /** A shard of a backup, read anew by each call; and about how many keys it has. */
  open: () => AsyncIterable<Buffer>;
  keys: number;
  /** The slots that it has. */
  slots: readonly SlotRange[];
  endpoint: Endpoint;
  seeds: readonly string[];
  /** Which keys are meant (default: all). */
  selects?: (key: Buffer) => boolean;
  /** Removes them; without it they are counted. */
  remove?: Attempt;
  /** @param seen of the keys that are there; @param removed of them, so far */
  onProgress?: (seen: number, removed: number) => void;
  signal?: AbortSignal;
  /** Held at once (default 8 million: 128 MB, 400 MB while its table grows); of more, the snapshot is read several times. */
  held?: number;
}

export interface Others {
  /** That the cluster had in these slots and the snapshot has not, what has expired of it among them. */
  found: number;
  removed: number;
  /** Still or again there after they were removed. */
  left: number;
  examples: string[];
}

const HELD = 8_000_000;
const EXAMPLES = 10;
const SCANNED = 1000;

/**
 * Finds, and removes, what a cluster has and a shard of a backup has not, among the keys of its slots that are meant. What the
 * snapshot has is never removed, but for what has expired by now. Begun anew it goes on with what is left.
 *
 * @throws RolloutError RolesUnsettled, Unreachable, NodeHung, MissingPermission, Fenced; BackupFailed and whatever the snapshot throws
 */
export async function othersThan(input: OthersInput): Promise<Others> {
  const { keys, held = HELD, remove, signal } = input;
  const others: Others = { found: 0, removed: 0, left: 0, examples: [] };
  using lease = remove && new Lease(remove);
  let refused: string | undefined;
  const outcome = (ack: unknown): void => {
    if (ack === 1) others.removed++;
    else if (typeof ack === 'string') refused ??= ack;
  };
  const fenced = remove && { attempt: remove, mayWrite: () => lease?.expect() };
  try {
    const targets = await Targets.open(input.endpoint, { seeds: input.seeds, outcome, signal, fenced });
    try {
      const telling = { ...input, onProgress: (seen: number) => input.onProgress?.(seen, others.removed) };
      const parts = Math.max(1, Math.ceil(keys / held));
      for (let part = 0; part < parts; part++) {
        const mine = ([, b]: KeyHash): boolean => b % parts === part;
        const known = await keysOf(input, mine);
        await scan(telling, { targets, known, mine }, (key) => {
          others.found++;
          if (others.examples.length < EXAMPLES) others.examples.push(printable(key));
          if (remove) unlink(targets, key, input.endpoint);
        });
        if (!remove) continue;
        await targets.settled();
        if (refused !== undefined) throw refusal(refused);
        await scan(telling, { targets, known, mine }, () => others.left++);
      }
      if (remove && others.removed > 0) await targets.confirmed();
      return others;
    } finally {
      targets.close();
    }
  } catch (error) {
    if (error instanceof TargetLost) throw new RolloutError('Unreachable', error.message, { cause: error });
    throw error;
  }
}

async function keysOf(
  { open, selects: meant = () => true, signal }: OthersInput,
  mine: (hash: KeyHash) => boolean,
): Promise<KeySet> {
  const known = new KeySet();
  const add = (key: Buffer, expiresAt: number | undefined): void => {
    if (expiresAt !== undefined && expiresAt <= Date.now()) return;
    const hash = hashOf(key);
    if (mine(hash)) known.add(hash);
  };
  const reader = new RdbReader({
    keep: meant,
    raw: { upTo: 256 * 1024, may: () => true, take: ({ key, expiresAt }) => add(key, expiresAt) },
  });
  for await (const chunk of open()) {
    signal?.throwIfAborted();
    for (const record of reader.read(chunk))
      if (record.kind === 'key' && record.first) add(record.key, record.expiresAt);
  }
  reader.end();
  return known;
}

interface Scan {
  targets: Targets;
  known: KeySet;
  mine: (hash: KeyHash) => boolean;
}

/** Every key that is meant, of these slots, and not known; each primary by itself. */
async function scan(
  {
    endpoint,
    slots,
    selects: meant = () => true,
    onProgress,
    signal,
  }: Omit<OthersInput, 'onProgress'> & {
    onProgress: (seen: number) => void;
  },
  { targets, known, mine }: Scan,
  other: (key: Buffer) => void,
): Promise<void> {
  const inSlots = selects({ slots });
  let seen = 0;
  for (const lane of targets.lanes) {
    using pipe = await Pipe.open(at(endpoint, lane.address), {
      ...{ readonly: false, noTouch: true, timeoutMs: 60_000 },
      ...(signal ? { signal } : {}),
    });
    for (let cursor = '0'; ;) {
      const reply = await pipe.ask('SCAN', cursor, 'COUNT', SCANNED);
      if (!Array.isArray(reply) || !Array.isArray(reply[1])) throw new TypeError(`${pipe.address} answered SCAN oddly`);
      // A key that comes twice is removed once.
      for (const key of reply[1] as Buffer[]) {
        const hash = hashOf(key);
        if (mine(hash) && inSlots(key) && meant(key) && !known.has(hash)) other(key);
      }
      seen += reply[1].length;
      onProgress(seen);
      await targets.room();
      cursor = textOf(reply[0]);
      if (cursor === '0') break;
    }
  }
}

function unlink(targets: Targets, key: Buffer, { commands }: Endpoint): void {
  const slot = slotOf(key);
  const lane = targets.laneOf(slot);
  if (!lane) throw new RolloutError('RolesUnsettled', `nobody serves slot ${slot}`);
  lane.batch.command(2);
  lane.batch.word(Buffer.from(commands?.['UNLINK'] ?? 'UNLINK'));
  lane.batch.word(key);
  lane.batch.end(1, slot);
  if (lane.batch.full) lane.send();
}

const refusal = (message: string): RolloutError =>
  message.startsWith('NOPERM') || /unknown command/i.test(message)
    ? new RolloutError('MissingPermission', `--exactly needs UNLINK: ${message}`)
    : new RolloutError('RolesUnsettled', `what is not in the backup can't be removed now: ${message}`);
