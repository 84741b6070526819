import { catchUp } from './catch-up.js';
import { settle, type SettleOptions } from './settle.js';
import { drift, expiryCommand, expiryOf, timeOf, type Side, type Sides } from './side.js';
import { printable } from './values.js';
import type { BatchResult } from './batch.js';
import type { VerifyResult } from '../../model/evidence.js';

/** Where a comparison stands: plain JSON, for a heartbeat. Given back as `resumeFrom` it goes on from there. */
export interface VerifyProgress {
  mode: VerifyResult['mode'];
  /** SCAN cursors are void once either process is another one. */
  runIds: [primary: string, replica: string];
  /** `primary`: its keys are compared; `replica`: keys that only the replica has are looked for. */
  stage: 'primary' | 'replica' | 'done';
  db: number;
  cursor: string;
  /** Keys that the primary said it had at the start: what `keys` will be near to at the end. */
  expectedKeys: number;
  keys: number;
  bytes: number;
  different: number;
  examples: VerifyResult['examples'];
  unsettled: number;
  /** The first of these. */
  unsettledKeys: string[];
  /** Keys whose expiry was set right. */
  repaired: number;
  notComparable: Record<string, number>;
  ttlDriftMs: number;
  /** Function libraries compared; absent until they are, and before 7.0. */
  functions?: number;
  elapsedMs: number;
}

/** Examples kept. */
const EXAMPLES = 100;
const UNSETTLED_NAMED = 10;
/** Confirmed differences after which the rest is not worth the load: the replica isn't a copy. */
export const ENOUGH = 1000;
/** Suspects held before they are looked at again. */
const SUSPECTS = 1000;
const SUSPECT_BYTES = 16 * 1024 * 1024;
const DRIFTS = 16;

/** Adds up what the batches bring, and settles what looked different. Memory stays bounded whatever they bring. */
export class Tally {
  readonly #suspects = new Map<string, Buffer>();
  #suspectBytes = 0;
  /** Keys that a verdict was found for: a second scan of the same database would report them again. */
  readonly #judged = new Set<string>();
  #drifts: BatchResult['drifts'] = [];

  constructor(
    readonly progress: VerifyProgress,
    readonly options: SettleOptions,
  ) {}

  add(batch: BatchResult): void {
    this.progress.keys += batch.keys;
    this.progress.bytes += batch.bytes;
    for (const [type, count] of Object.entries(batch.notComparable))
      this.progress.notComparable[type] = (this.progress.notComparable[type] ?? 0) + count;
    this.suspect(batch.candidates);
    for (const { key, ms } of batch.drifts) {
      if (ms <= this.progress.ttlDriftMs || ms <= (this.#drifts[DRIFTS - 1]?.ms ?? 0)) continue;
      this.#drifts.push({ key: Buffer.from(key), ms });
      this.#drifts.sort((a, b) => b.ms - a.ms).splice(DRIFTS);
    }
  }

  suspect(keys: readonly Buffer[]): void {
    for (const key of keys) {
      const name = key.toString('latin1');
      if (this.#suspects.has(name) || this.#judged.has(name)) continue;
      // A copy: the key is a slice of a whole packet, which would be kept alive with it.
      this.#suspects.set(name, Buffer.from(key));
      this.#suspectBytes += key.length;
    }
  }

  get full(): boolean {
    return this.#suspects.size >= SUSPECTS || this.#suspectBytes >= SUSPECT_BYTES;
  }

  get enough(): boolean {
    return this.progress.different >= ENOUGH;
  }

  found(key: string, what: string): void {
    this.progress.different++;
    if (this.progress.examples.length < EXAMPLES) this.progress.examples.push({ key, what });
  }

  /** Afterwards nothing is pending: the progress alone says everything that was found. */
  async settle(sides: Sides): Promise<void> {
    const keys = [...this.#suspects.values()];
    this.#suspects.clear();
    this.#suspectBytes = 0;
    const { different, unsettled, driftMs, repaired } = await settle(sides, keys, this.options);
    for (const { key, what } of different) {
      this.#judged.add(key.toString('latin1'));
      this.found(this.#named(key), what);
    }
    for (const key of unsettled) if (this.#judged.size < 2 * ENOUGH) this.#judged.add(key.toString('latin1'));
    const room = UNSETTLED_NAMED - this.progress.unsettledKeys.length;
    this.progress.unsettledKeys.push(...unsettled.slice(0, room).map((key) => this.#named(key)));
    this.progress.unsettled += unsettled.length;
    this.progress.repaired += repaired;
    this.progress.ttlDriftMs = Math.max(this.progress.ttlDriftMs, driftMs, await this.#lastingDrift(sides));
  }

  #named(key: Buffer): string {
    return this.progress.db === 0 ? printable(key) : `${printable(key)} (db ${this.progress.db})`;
  }

  /** Keys belong to one database; call it between two. */
  forget(): void {
    this.#judged.clear();
  }

  /** A drift may have been a write between two reads: the largest are measured once more, around the replica's. */
  async #lastingDrift(sides: Sides): Promise<number> {
    const keys = this.#drifts.map(({ key }) => key);
    this.#drifts = [];
    if (keys.length === 0) return 0;
    const before = await expiries(sides.primary, keys);
    await catchUp(sides, this.options.catchUpTimeoutMs, this.options.signal);
    const there = await expiries(sides.replica, keys);
    const after = await expiries(sides.primary, keys);
    let largest = 0;
    for (const [i, expiry] of there.entries()) {
      const [a = -2, b = -2] = [before[i], after[i]];
      // Without PEXPIRETIME the same expiry comes out a millisecond apart.
      if (expiry >= 0 && a >= 0 && b >= 0 && Math.abs(a - b) <= 2) largest = Math.max(largest, drift(b, expiry));
    }
    return Math.round(largest);
  }
}

async function expiries(side: Side, keys: readonly Buffer[]): Promise<number[]> {
  const replies = await side.pipe.send(keys.flatMap((key) => [['TIME'] as const, expiryCommand(side, key)]));
  return keys.map((_, i) => expiryOf(side, replies[2 * i + 1], timeOf(side, replies[2 * i])));
}
