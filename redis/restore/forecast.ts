import { RolloutError } from '../../model/failures.js';
import type { Lacking, ShardForecast } from '../../model/backup-restore.js';
import { slotOf } from '../probe/slot.js';
import type { Elements } from '../rdb/elements.js';
import { RdbReader } from '../rdb/reader.js';
import { noCounts, noteLack } from './counts.js';
import { KeyWriter } from './key-writer.js';
import type { LoadInput } from './load.js';
import { TargetLost, type Lane } from './lane.js';
import { Targets } from './targets.js';

type ForecastInput = Pick<LoadInput, 'endpoint' | 'seeds' | 'selects' | 'signal'> & {
  snapshot: AsyncIterable<Buffer>;
  /** Is it worth asking which keys are there? */
  ask: boolean;
  onProgress?: (keys: number) => void;
};

/** Longer ones are decoded in pieces. */
const RAW_BYTES = 256 * 1024;

/**
 * Reads a shard's snapshot to its end, and says what would come of it. The target is asked which of the keys it has; nothing
 * is written.
 *
 * @throws RolloutError RolesUnsettled, Unauthorized, Unreachable; BackupFailed and whatever the snapshot throws
 */
export async function forecast(input: ForecastInput): Promise<Omit<ShardForecast, 'shard'>> {
  const { endpoint, seeds, selects = () => true, signal, ask, onProgress } = input;
  let present = 0;
  let refusal: string | undefined;
  const targets = await Targets.open(endpoint, {
    ...{ seeds, signal },
    outcome: (ack) => {
      if (ack === 1) present++;
      else if (typeof ack === 'string') refusal ??= ack;
    },
  });
  const found = { keys: 0, selected: 0, expired: 0, bytesTo: {} as Record<string, number> };
  const lacks = noCounts();
  const writers = new Map<string, KeyWriter>();
  const writerFor = (lane: Lane): KeyWriter => {
    let writer = writers.get(lane.release);
    if (!writer) writers.set(lane.release, (writer = new KeyWriter(lane.release, 'keep', endpoint.commands)));
    return writer;
  };
  const exists = Buffer.from(endpoint.commands?.['EXISTS'] ?? 'EXISTS');
  const laneFor = (key: Buffer): Lane => {
    const lane = targets.laneOf(slotOf(key));
    if (!lane) throw new RolloutError('RolesUnsettled', `nobody serves slot ${slotOf(key)} of the target`);
    return lane;
  };
  /** True of a key that would be written. */
  const counted = (key: Buffer, expiresAt: number | undefined, bytes: number): boolean => {
    found.selected++;
    if (expiresAt !== undefined && expiresAt <= Date.now()) {
      found.expired++;
      return false;
    }
    const lane = laneFor(key);
    found.bytesTo[lane.address] = (found.bytesTo[lane.address] ?? 0) + key.length + bytes;
    if (!ask) return true;
    lane.batch.command(2);
    lane.batch.word(exists);
    lane.batch.word(key);
    lane.batch.end(1, 0);
    if (lane.batch.full) lane.send();
    return true;
  };
  let due = false;
  let lacking: string | undefined;
  try {
    const reader = new RdbReader({
      keep: (key) => {
        found.keys++;
        return selects(key);
      },
      raw: {
        upTo: RAW_BYTES,
        may: (code, format) => targets.lanes.every((lane) => writerFor(lane).restores(code, format)),
        take: ({ key, expiresAt, value }) => void counted(key, expiresAt, value.length),
      },
    });
    for await (const chunk of input.snapshot) {
      signal?.throwIfAborted();
      for (const record of reader.read(chunk)) {
        if (record.kind !== 'key') continue;
        const { key, expiresAt, part, first, last } = record;
        if (first) due = counted(key, expiresAt, bytesOf(part));
        if (first) lacking = undefined;
        if (!due || part.type === 'string') continue;
        const lane = laneFor(key);
        if (!first) found.bytesTo[lane.address] = (found.bytesTo[lane.address] ?? 0) + bytesOf(part);
        const { unrepresentable } = writerFor(lane).values.write({ key, part, first, last });
        if (unrepresentable !== undefined && lacking === undefined) noteLack(lacks, (lacking = unrepresentable), key);
      }
      await targets.room();
      onProgress?.(found.keys);
    }
    const { aux, functions } = reader.end();
    await targets.settled();
    if (refusal?.startsWith('NOPERM'))
      throw new RolloutError('MissingPermission', `it is asked which keys the target has by EXISTS: ${refusal}`);
    if (refusal !== undefined)
      throw new RolloutError('RolesUnsettled', `the target can't be asked which keys it has: ${refusal}`);
    const holdsFunctions = targets.lanes.every(
      (lane) => writerFor(lane).values.library(Buffer.alloc(0)).commands.length > 0,
    );
    if (functions > 0 && !holdsFunctions) noteLack(lacks, 'functions');
    const used = Number(aux['used-mem']);
    return {
      ...{ ...found, present, functions, lacking: lacks.lacking satisfies Lacking },
      ...(used > 0 ? { usedMemoryBytes: used } : {}),
    };
  } catch (error) {
    if (error instanceof TargetLost) throw new RolloutError('Unreachable', error.message, { cause: error });
    throw error;
  } finally {
    targets.close();
  }
}

function bytesOf(part: Elements): number {
  if (part.type === 'string') return part.value.length;
  if (part.type === 'module') return 0;
  if (part.type !== 'stream') return part.elements.reduce((sum, it) => sum + it.length, 0);
  if (part.piece !== 'entries') return 0;
  return part.entries.reduce((sum, { fields }) => sum + fields.reduce((all, it) => all + it.length, 0), 0);
}
