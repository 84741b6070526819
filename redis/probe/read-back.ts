import type { GivenUp, LedgerResult } from '../../model/evidence.js';
import { RolloutError } from '../../model/failures.js';
import type { Endpoint } from '../connection.js';
import { addGeneration, checkGeneration, withoutGivenUp } from './check-generation.js';
import { keysOf } from './entry.js';
import { ledgerFiles, readRetired, runFolders, type LedgerFile } from './ledger.js';
import { RawClient } from './raw-client.js';
import { keySlot } from './slot.js';

export interface LedgerInput {
  seeds: string[];
  /** Credentials, TLS and renamed commands; host and port are taken from the nodes. */
  endpoint: Endpoint;
  /** The folder that the probe was started on. */
  folder: string;
  /** Generations of at most 2,000 writes that are done, and all. */
  onProgress?: (progress: { done: number; of: number }) => void;
  /** What restores have given up: that it is not there is no loss. */
  givenUp?: readonly GivenUp[];
}

const PATIENCE_MS = 30_000;
/** A TTL may drift on 5.0 and 6.x by as long as a replica was down; within this it is there, and `verify` measures it. */
const TTL_TOLERANCE_MS = 60_000;

/**
 * Reads every acknowledged write of every run in the folder back from the current primaries. Memory is bounded: one
 * generation of 2,000 writes of each shard at a time.
 *
 * @throws RolloutError Unreachable, MissingPermission or Unauthorized when a shard can't be asked: that says nothing about its writes
 */
export async function readBackLedger(input: LedgerInput & { ttlToleranceMs?: number }): Promise<LedgerResult> {
  const sum: LedgerResult = { acknowledged: 0, found: 0, lost: 0, examples: [], byType: {}, retired: 0 };
  for (const run of runFolders(input.folder))
    for (const { byType } of readRetired(run)) {
      addGeneration(sum, { acknowledged: byType, lost: [], lostCount: 0 });
      sum.retired = (sum.retired ?? 0) + Object.values(byType).reduce((all, count) => all + count, 0);
    }
  const options = {
    ttlToleranceMs: input.ttlToleranceMs ?? TTL_TOLERANCE_MS,
    patienceMs: PATIENCE_MS,
    now: () => performance.now(),
  };
  await eachFile(input, async (client, file) => {
    if (file.retired) return;
    const checked = await checkGeneration(client, file, options);
    const window = input.givenUp?.find(({ shard }) => shard === file.shard);
    addGeneration(sum, window ? withoutGivenUp(checked, window) : checked);
  });
  return sum;
}

/**
 * Unlinks every key that the probe may have written, acknowledged or not, and no other. Safe to run again.
 *
 * @returns how many keys were there
 * @throws RolloutError Unreachable, MissingPermission or Unauthorized when a shard can't be asked
 */
export async function removeProbeKeys(input: LedgerInput): Promise<{ removed: number }> {
  let removed = 0;
  await eachFile(input, async (client, file) => {
    removed += await unlinkGeneration(client, file, performance.now() + PATIENCE_MS);
  });
  return { removed };
}

/** The keys of a generation share a slot, so that one command takes them all: atomic, and 506 keys are no load. */
export async function unlinkGeneration(client: RawClient, file: LedgerFile, deadline: number): Promise<number> {
  const keys = keysOf(file, file.client, file.generation);
  return Number(await client.send(['UNLINK', ...keys], keySlot(keys[0] ?? ''), deadline));
}

/** Shard by shard, side by side: a client waits as a whole while its primary is away, and must not hold up the others. */
async function eachFile(
  input: LedgerInput,
  act: (client: RawClient, file: LedgerFile) => Promise<void>,
): Promise<void> {
  const files = runFolders(input.folder).flatMap(ledgerFiles);
  let done = 0;
  const shards = [...new Set(files.map(({ shard }) => shard))];
  const SIDE_BY_SIDE = 8;
  const lanes = Array.from({ length: Math.min(SIDE_BY_SIDE, shards.length) }, async () => {
    for (let shard = shards.shift(); shard !== undefined; shard = shards.shift()) {
      const client = new RawClient(input.seeds, input.endpoint);
      try {
        for (const file of files.filter((each) => each.shard === shard)) {
          await act(client, file);
          input.onProgress?.({ done: ++done, of: files.length });
        }
      } catch (error) {
        const { message } = error as Error;
        const type = /^NOPERM/.test(message)
          ? 'MissingPermission'
          : /^NOAUTH/.test(message)
            ? 'Unauthorized'
            : 'Unreachable';
        throw new RolloutError(
          type,
          `The primary of ${shard} could not be asked for the probe's keys (${PATIENCE_MS / 1000} s were waited at most): ${message}`,
          { cause: error },
        );
      } finally {
        client.close();
      }
    }
  });
  await Promise.all(lanes);
}
