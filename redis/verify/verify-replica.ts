import type { VerifyResult } from '../../model/evidence.js';
import { atLeast } from '../../model/release.js';
import { addressOf, type Endpoint } from '../connection.js';
import { compareBatch, findExtra, type BatchResult } from './batch.js';
import { catchUp } from './catch-up.js';
import { compareFunctions } from './functions.js';
import { randomKeys, SAMPLE, scanKeys, type KeyBatch } from './keys.js';
import { databasesOf, factsOf, keysOf, type NodeFacts } from './node-facts.js';
import { Pipe } from './pipe.js';
import { ENOUGH, Tally, type VerifyProgress } from './progress.js';
import type { Side, Sides } from './side.js';
import { Watches } from './watches.js';

export interface VerifyInput {
  /** The shard's name, for the result. */
  shard: string;
  primary: Endpoint;
  replica: Endpoint;
  /** Every key, or 10,000 random ones of each node. */
  mode: VerifyResult['mode'];
  /** Largest difference of two expiry times that still counts as the same, ms. */
  ttlToleranceMs: number;
  /** Have the primary say again when a key expires whose expiry is further off (a write, of the same point in time). */
  repairExpiries?: boolean;
  /**
   * Called at least every two seconds and at each stage's end, with plain JSON to keep for `resumeFrom`. While
   * suspects settle or one huge value is read it repeats the last one; every wait inside has a deadline of its own.
   */
  onProgress?: (progress: VerifyProgress) => void;
  signal?: AbortSignal;
  /** The last progress of an attempt that died. Starts anew when either server process is another one by now. */
  resumeFrom?: VerifyProgress;
  /** Longest silence of a node while a reply is due, ms (default 30,000). */
  timeoutMs?: number;
  /** Longest time that the replica may take to pass the primary's offset, ms (default 30,000). */
  catchUpTimeoutMs?: number;
}

const PROGRESS_EVERY_MS = 500;
const ALIVE_MS = 1000;
/** Batches under way at once: while one is compared here, the nodes answer the next. */
const LANES = 3;

/**
 * Compares every key of a replica with its primary: type, value and expiry, whatever encoding or version either has,
 * while writes go on. What differs is looked at again, after the replica has passed the primary's offset, until it
 * settles; `different` counts what remained. Expiries are compared as the Unix time that each node has stored.
 *
 * Reads every key of both nodes over a connection of its own; from 7.2 on without touching LRU and LFU. Memory is
 * bounded: by pieces of about 1 MB, 1000 suspects, and an end after 1000 confirmed differences.
 *
 * @throws RolloutError Unreachable, NodeHung, Unauthorized, MissingPermission; NotCaughtUp when the replica doesn't
 *   follow the primary; RolesUnsettled where either serves nothing for a moment; the signal's reason when it is aborted
 */
export async function verifyReplica(input: VerifyInput): Promise<VerifyResult> {
  try {
    return await verify(input);
  } catch (error) {
    // A pause that was cut short rejects with an error of its own.
    input.signal?.throwIfAborted();
    throw error;
  }
}

async function verify(input: VerifyInput): Promise<VerifyResult> {
  const { primary, replica, mode, signal } = input;
  const [here, there] = await Promise.all([factsOf(primary), factsOf(replica)]);
  using a = await Pipe.open(primary, pipeOptions(input, here, false));
  using b = await Pipe.open(replica, pipeOptions(input, there, true));
  using watches = new Watches(primary, pipeOptions(input, here, false), () =>
    catchUp(sides, options.catchUpTimeoutMs, signal),
  );
  const sides: Sides = {
    watches,
    primary: { pipe: a, role: 'primary', pexpiretime: atLeast(here.release, 7, 0) },
    replica: { pipe: b, role: 'replica', pexpiretime: atLeast(there.release, 7, 0) },
    fieldExpiry: here.knowsFieldExpiry && there.knowsFieldExpiry && (here.hasFieldExpiry || there.hasFieldExpiry),
  };
  const options = {
    ttlToleranceMs: input.ttlToleranceMs,
    repairExpiries: input.repairExpiries ?? false,
    catchUpTimeoutMs: input.catchUpTimeoutMs ?? 30_000,
    signal,
  };
  await catchUp(sides, options.catchUpTimeoutMs, signal);
  const progress = beginning(input, [here, there]);
  await run(input, sides, [here, there], options, progress);
  const left = ENOUGH <= progress.different;
  const { keys, bytes, different, examples, unsettled, unsettledKeys, notComparable } = progress;
  const { ttlDriftMs, functions, repaired } = progress;
  return {
    shard: input.shard,
    primary: addressOf(primary),
    replica: addressOf(replica),
    mode,
    keys,
    bytes,
    different,
    examples,
    ttlDriftMs: Math.round(ttlDriftMs),
    durationMs: progress.elapsedMs,
    notComparable,
    unsettled,
    ...(unsettled === 0 ? {} : { unsettledKeys }),
    repaired,
    ...(functions === undefined ? {} : { functions }),
    complete: !left,
    ...(left ? { statement: `Ended after ${different} differences in ${keys} keys; the rest was not compared.` } : {}),
  };
}

type Options = Tally['options'];

async function run(
  input: VerifyInput,
  sides: Sides,
  [here, there]: [NodeFacts, NodeFacts],
  options: Options,
  progress: VerifyProgress,
): Promise<void> {
  const started = Date.now() - progress.elapsedMs;
  const tally = new Tally(progress, options);
  let last = structuredClone(progress);
  let reported = Date.now();
  const report = (): void => {
    reported = Date.now();
    progress.elapsedMs = reported - started;
    last = structuredClone(progress);
    input.onProgress?.(last);
  };
  const alive = setInterval(() => {
    if (Date.now() - reported >= ALIVE_MS) input.onProgress?.(last);
  }, ALIVE_MS);
  try {
    await stages(input, sides, [here, there], tally, report);
  } finally {
    clearInterval(alive);
  }
  if (progress.functions === undefined && atLeast(here.release, 7, 0) && atLeast(there.release, 7, 0)) {
    const found = await compareFunctions(sides, options);
    progress.functions = found.libraries;
    for (const { library, what } of found.different) tally.found(library, what);
  }
  report();
}

async function stages(
  input: VerifyInput,
  sides: Sides,
  [here, there]: [NodeFacts, NodeFacts],
  tally: Tally,
  report: () => void,
): Promise<void> {
  const { progress, options } = tally;
  let reported = Date.now();
  const databases = databasesOf(here, there);
  for (const stage of ['primary', 'replica'] as const) {
    if (progress.stage === 'done' || (progress.stage === 'replica' && stage === 'primary')) continue;
    for (const db of databases) {
      if (db < progress.db) continue;
      if (db !== progress.db) Object.assign(progress, { db, cursor: '0' });
      if (databases.length > 1) await Promise.all([sides.primary, sides.replica].map((s) => s.pipe.ask('SELECT', db)));
      if (sides.watches) sides.watches.db = db;
      const side = sides[stage];
      for await (const { result, cursor } of compared(
        sides,
        source(side, input.mode, progress, here, there),
        stage,
        options,
      )) {
        tally.add(result);
        if (cursor !== '0') progress.cursor = cursor;
        const due = Date.now() - reported >= PROGRESS_EVERY_MS;
        if (tally.full || due) await tally.settle(sides);
        if (due) {
          report();
          reported = Date.now();
        }
        if (tally.enough) break;
      }
      await tally.settle(sides);
      tally.forget();
      if (tally.enough) break;
    }
    Object.assign(progress, { stage: stage === 'primary' && !tally.enough ? 'replica' : 'done', db: 0, cursor: '0' });
    report();
  }
}

function beginning(input: VerifyInput, facts: [NodeFacts, NodeFacts]): VerifyProgress {
  const { resumeFrom: from, mode } = input;
  const runIds: VerifyProgress['runIds'] = [facts[0].runId, facts[1].runId];
  const size = keysOf(facts[0]);
  const fresh: VerifyProgress = {
    mode,
    runIds,
    stage: 'primary',
    db: 0,
    cursor: '0',
    expectedKeys: mode === 'all' ? size : Math.min(size, SAMPLE),
    keys: 0,
    bytes: 0,
    different: 0,
    examples: [],
    unsettled: 0,
    unsettledKeys: [],
    repaired: 0,
    notComparable: {},
    ttlDriftMs: 0,
    elapsedMs: 0,
  };
  const goesOn = mode === 'all' && from?.mode === mode && from.runIds[0] === runIds[0] && from.runIds[1] === runIds[1];
  // The worker that died may have been an older one, whose progress says less.
  return goesOn ? { ...fresh, ...structuredClone(from) } : fresh;
}

function source(
  side: Side,
  mode: VerifyResult['mode'],
  { db, cursor }: VerifyProgress,
  here: NodeFacts,
  there: NodeFacts,
): AsyncGenerator<KeyBatch> {
  if (mode === 'all') return scanKeys(side, cursor);
  const facts = side.role === 'primary' ? here : there;
  const share = (facts.databases.get(db) ?? 0) / Math.max(1, keysOf(facts));
  return randomKeys(side, Math.ceil(SAMPLE * share));
}

/** Compares batches, a few at a time, and yields them in order: a cursor is only reported once all before it is done. */
async function* compared(
  sides: Sides,
  batches: AsyncGenerator<KeyBatch>,
  stage: 'primary' | 'replica',
  { ttlToleranceMs }: Options,
): AsyncGenerator<{ result: BatchResult; cursor: string }> {
  const lanes: { result: Promise<BatchResult>; cursor: string }[] = [];
  for await (const { keys, cursor } of batches) {
    const result =
      stage === 'primary'
        ? compareBatch(sides, keys, ttlToleranceMs)
        : findExtra(sides, keys).then((candidates) => ({
            keys: 0,
            bytes: 0,
            notComparable: {},
            unread: [],
            candidates,
            drifts: [],
          }));
    result.catch(() => undefined);
    lanes.push({ result, cursor });
    if (lanes.length < LANES) continue;
    const first = lanes.shift();
    if (first) yield { result: await first.result, cursor: first.cursor };
  }
  for (const { result, cursor } of lanes) yield { result: await result, cursor };
}

function pipeOptions(input: VerifyInput, { release }: NodeFacts, readonly: boolean) {
  return {
    readonly,
    noTouch: atLeast(release, 7, 2),
    timeoutMs: input.timeoutMs ?? 30_000,
    ...(input.signal ? { signal: input.signal } : {}),
  };
}
