import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import type { Endpoint } from '../connection.js';
import type { Mask } from '../mask/mask.js';
import { slotOf } from '../probe/slot.js';
import type { Entry } from '../rdb/elements.js';
import { type Dialect, isModule } from '../rdb/layout.js';
import { RdbReader, type RawValue, type RdbRecord } from '../rdb/reader.js';
import type { Ack } from './acks.js';
import { Lease, type Attempt } from './attempt.js';
import type { Batch } from './batch.js';
import { copyOf, noCounts, noteLack, type RestoreCounts } from './counts.js';
import { asideOf, KeyWriter, type Existing } from './key-writer.js';
import { TargetLost, type Lane } from './lane.js';
import { Outcomes } from './outcomes.js';
import { PATIENCE_MS, Targets } from './targets.js';

/** Of one shard of a backup. */
export interface SnapshotSource {
  /** The snapshot from its beginning; each call reads it anew. */
  open: () => AsyncIterable<Buffer>;
  /** Do its keys come in the same order each time? Then what was confirmed is passed over by whoever goes on. */
  sameOrder: boolean;
}

export interface LoadInput {
  source: SnapshotSource;
  /** The cluster that is written to. */
  endpoint: Endpoint;
  seeds: readonly string[];
  existing: Existing;
  /** Which keys are meant (default: all). */
  selects?: (key: Buffer) => boolean;
  /** Are function libraries, too? */
  functions?: boolean;
  /** What is written in the place of keys and values. What it can't mask is left out, and counted as refused. */
  mask?: Mask | undefined;
  /** Keys a second at the most. */
  rate?: number;
  /** Where an earlier attempt was when replicas confirmed last. */
  confirmed?: RestoreCounts;
  onProgress?: (now: RestoreCounts, confirmed: RestoreCounts) => void;
  signal?: AbortSignal;
  /** Shuts earlier attempts out, and ends this one where a later one has begun. */
  attempt?: Attempt;
}

/** Larger values are built from pieces: a RESTORE of more holds a server up. */
const RAW_BYTES = 256 * 1024;
const CONFIRM_EVERY_MS = 2000;
/** What a dead attempt left aside is gone after this. */
const ASIDE_MS = 24 * 3_600_000;

/**
 * Loads a shard's snapshot into a cluster, each key to whoever serves its slot. Memory is bounded, but for a single long
 * string. Where a node moves a slot away, what it did not acknowledge is written to the next; where one goes away or is
 * no primary any more, everything since its replicas confirmed last is written again.
 *
 * @throws RolloutError NoMemory, MissingPermission, Unauthorized, RolesUnsettled, Unreachable; BackupFailed and whatever the source throws
 */
export async function loadSnapshot(input: LoadInput): Promise<RestoreCounts> {
  let confirmed = input.confirmed && input.source.sameOrder ? input.confirmed : noCounts();
  let deadline = Date.now() + PATIENCE_MS;
  using lease = input.attempt && new Lease(input.attempt);
  for (;;) {
    const pass = new Pass(input, confirmed, lease);
    try {
      return await pass.run();
    } catch (error) {
      if (!(error instanceof TargetLost)) throw error;
      if (pass.confirmed.read > confirmed.read) deadline = Date.now() + PATIENCE_MS;
      if (input.source.sameOrder) confirmed = pass.confirmed;
      if (Date.now() > deadline)
        throw new RolloutError('RolesUnsettled', `the restore can't go on: ${error.message}`, { cause: error });
      await sleep(500, undefined, input.signal ? { signal: input.signal } : {});
    }
  }
}

/** A large value on its way, under another name. */
interface Building {
  key: Buffer;
  slot: number;
  aside: Buffer;
  begun: boolean;
  lacks: boolean;
}

/** The reading of the snapshot from its beginning to its end, or to where a target was lost. */
class Pass {
  readonly counts: RestoreCounts;
  readonly #outcomes: Outcomes;
  confirmed: RestoreCounts;
  #targets: Targets | undefined;
  readonly #writers = new Map<string, KeyWriter>();
  readonly #may = new Map<number, boolean>();
  #read = 0;
  #building: Building | undefined;
  #confirmedAt = Date.now();
  readonly #begun = performance.now();
  readonly #already: number;
  /** A key's name was read, and nothing of its value; or something of it, and not all. */
  #named = false;
  #partial = false;
  readonly #libraries: Buffer[] = [];

  constructor(
    private readonly input: LoadInput,
    confirmed: RestoreCounts,
    private readonly lease: Lease | undefined,
  ) {
    this.confirmed = copyOf(confirmed);
    this.counts = copyOf(confirmed);
    this.#outcomes = new Outcomes(this.counts);
    this.#already = confirmed.selected;
  }

  async run(): Promise<RestoreCounts> {
    const { input, counts } = this;
    const { signal, selects = () => true } = input;
    const { seeds, endpoint, attempt } = input;
    const outcome = (ack: Ack, batch: Batch, index: number): void => {
      const isPiece = this.#building !== undefined && batch.dues[index] === 1;
      this.#outcomes.take(ack, { batch, index, isPiece }, this.#there);
    };
    const fenced = attempt && { attempt, mayWrite: () => this.lease?.expect() };
    const targets = await Targets.open(endpoint, { seeds, outcome, signal, fenced });
    this.#targets = targets;
    const skip = this.confirmed.read;
    try {
      const reader = new RdbReader({
        keep: (key, database) => {
          this.#read++;
          if (this.#read <= skip) return false;
          counts.read++;
          if (database !== 0)
            throw new RolloutError('BadInput', `the backup has keys in database ${database}, and a cluster has none`);
          this.#named = selects(key);
          return this.#named;
        },
        raw: {
          upTo: RAW_BYTES,
          // As they are serialized, values can't be masked.
          may: (code, format) =>
            (input.mask?.parts.values !== true || isModule(code)) && this.#mayRestore(code, format),
          take: (value) => this.#raw(value),
        },
      });
      let records = 0;
      for await (const chunk of input.source.open()) {
        for (const found of reader.read(chunk)) {
          const record = input.mask && found.kind === 'key' ? input.mask.entry(found) : found;
          // A promise for each key would cost as much as the key.
          const later = this.#put(record);
          if (later) await later;
          if ((++records & 63) === 0 && this.#crowded) await this.#makeRoom();
        }
        signal?.throwIfAborted();
        await this.#makeRoom();
        await this.#pace();
        if (Date.now() - this.#confirmedAt > CONFIRM_EVERY_MS && !this.#building && !this.#partial)
          await this.#confirm();
        input.onProgress?.(counts, this.confirmed);
      }
      reader.end();
      await this.#confirm();
      await this.#loadLibraries();
      return counts;
    } finally {
      targets.close();
    }
  }

  get #there(): Targets {
    if (!this.#targets) throw new Error('no target is open');
    return this.#targets;
  }

  get #crowded(): boolean {
    return this.#outcomes.pending || this.#there.lanes.some(({ crowded }) => crowded);
  }

  #put(record: RdbRecord): Promise<void> | undefined {
    if (record.kind === 'aux') return undefined;
    if (record.kind === 'function') {
      if (this.input.functions !== true) return undefined;
      if (this.input.mask?.parts.functions === false) noteLack(this.counts, UNMASKED_FUNCTIONS);
      else this.#libraries.push(Buffer.from(record.source));
      return undefined;
    }
    const { part, first, last, key, expiresAt } = record;
    this.#named = false;
    this.#partial = !last;
    if (first && this.#isOver(key, expiresAt)) return undefined;
    if (!this.#building && first && part.type === 'string' && part.value.length <= RAW_BYTES) {
      const slot = slotOf(key);
      const [lane, writer] = this.#way(slot);
      this.counts.bytes += part.value.length;
      writer.string(lane.batch, { key, value: part.value, expiresAt, slot });
      if (lane.batch.full) lane.send();
      return undefined;
    }
    // An expired one's other pieces.
    if (!first && !this.#building) return undefined;
    if (!first || !last || part.type === 'string') return this.#build(record);
    this.#small(record);
    return undefined;
  }

  /** True where it need not be written. */
  #isOver(key: Buffer, expiresAt: number | undefined): boolean {
    const { counts } = this;
    counts.selected++;
    counts.bytes += key.length;
    if (expiresAt === undefined || expiresAt > Date.now()) return false;
    counts.expired++;
    return true;
  }

  #raw({ key: name, code, value, format, expiresAt }: RawValue): void {
    const { mask } = this.input;
    const key = mask?.key(name) ?? name;
    this.#named = false;
    if (this.#isOver(key, expiresAt)) return;
    if (mask?.hides(name) === true) {
      this.counts.refused++;
      noteLack(this.counts, UNMASKED_VALUES, key);
      return;
    }
    const slot = slotOf(key);
    const [lane, writer] = this.#way(slot);
    this.counts.bytes += value.length;
    writer.raw(lane.batch, { key, code, value, format, expiresAt, slot });
    if (lane.batch.full) lane.send();
  }

  /** What can't be taken as it is serialized, and came in one piece. */
  #small({ key, part, expiresAt }: Entry): void {
    const slot = slotOf(key);
    const [lane, writer] = this.#way(slot);
    const aside = asideOf(key, slot);
    const { commands, unrepresentable } = writer.values.write({
      ...{ key: aside, part, first: true, last: true },
      ...(expiresAt === undefined ? {} : { expiresAt }),
    });
    if (unrepresentable !== undefined) noteLack(this.counts, unrepresentable, key);
    if (commands.length === 0) {
      this.counts.refused++;
      return;
    }
    writer.whole(lane.batch, { key, aside, commands, slot });
    if (lane.batch.full) lane.send();
  }

  /** A piece of a large value. What a moved slot or a lost node leaves of it is begun again. */
  async #build({ key, part, first, last, expiresAt }: Entry): Promise<void> {
    if (first) {
      await this.#settled();
      const slot = slotOf(key);
      this.#building = { key: Buffer.from(key), slot, aside: asideOf(key, slot), begun: false, lacks: false };
    }
    const building = this.#building;
    if (!building) return;
    const { slot, aside } = building;
    const [lane, writer] = this.#way(slot);
    const { commands, unrepresentable } = writer.values.write({
      ...{ key: aside, part, first, last },
      ...(expiresAt === undefined ? {} : { expiresAt }),
    });
    if (unrepresentable !== undefined && !building.lacks) {
      building.lacks = true;
      noteLack(this.counts, unrepresentable, building.key);
    }
    if (!building.begun && commands.length > 0) {
      building.begun = true;
      commands.unshift([Buffer.from('UNLINK'), aside]);
      commands.splice(2, 0, [Buffer.from('PEXPIRE'), aside, Buffer.from(String(ASIDE_MS))]);
    }
    for (const command of commands) {
      for (const word of command) this.counts.bytes += word.length;
      writer.piece(lane.batch, [command], slot);
      if (!lane.batch.full) continue;
      lane.send();
      await lane.room();
    }
    if (!last) return;
    await lane.settled();
    this.#building = undefined;
    if (!building.begun) {
      this.counts.refused++;
      return;
    }
    const { refusal } = this.#outcomes;
    if (refusal !== undefined) throw new TargetLost(`a large value has moved: ${refusal}`);
    this.#outcomes.check();
    writer.complete(lane.batch, { key: building.key, aside, persists: expiresAt === undefined, slot });
    lane.send();
  }

  /** @throws TargetLost where nobody serves the slot now */
  #way(slot: number): [Lane, KeyWriter] {
    const lane = this.#there.laneOf(slot);
    if (!lane) throw new TargetLost(`nobody serves slot ${slot}`);
    return [lane, this.#writerFor(lane.release)];
  }

  #writerFor(release: string): KeyWriter {
    let writer = this.#writers.get(release);
    if (!writer) {
      writer = new KeyWriter(release, this.input.existing, this.input.endpoint.commands);
      this.#writers.set(release, writer);
    }
    return writer;
  }

  /** Every node that may get it has to be able to. */
  #mayRestore(code: number, format: Dialect): boolean {
    let may = this.#may.get(code);
    if (may === undefined) {
      may = this.#there.lanes.every(({ release }) => this.#writerFor(release).restores(code, format));
      this.#may.set(code, may);
    }
    return may;
  }

  async #makeRoom(): Promise<void> {
    this.#outcomes.check();
    await this.#there.room();
    if (!this.#building) await this.#sendAgain();
  }

  /** Everything is answered, and nothing is to be sent again. */
  async #settled(): Promise<void> {
    await this.#there.settled();
    await this.#sendAgain();
    this.#outcomes.check();
  }

  #sendAgain(): Promise<void> {
    return this.#outcomes.sendAgain(this.#there, () => this.#may.clear());
  }

  async #confirm(): Promise<void> {
    await this.#settled();
    // Whoever goes on from there begins with the key under way.
    const read = this.counts.read - (this.#named ? 1 : 0);
    if (await this.#there.confirmed()) this.confirmed = { ...copyOf(this.counts), read };
    this.#confirmedAt = Date.now();
  }

  async #pace(): Promise<void> {
    const { rate, signal } = this.input;
    if (rate === undefined) return;
    const aheadMs = ((this.counts.selected - this.#already) / rate) * 1000 - (performance.now() - this.#begun);
    if (aheadMs <= 5) return;
    for (const lane of this.#there.lanes) lane.send();
    await sleep(aheadMs, undefined, signal ? { signal } : {});
  }

  /** A library is of the whole server: each primary gets it, and gives it to its replicas. */
  async #loadLibraries(): Promise<void> {
    for (const source of this.#libraries)
      for (const lane of this.#there.lanes) {
        const [command] = this.#writerFor(lane.release).values.library(source).commands;
        if (!command) {
          noteLack(this.counts, 'functions');
          break;
        }
        const words = this.input.existing === 'keep' ? command.filter((it) => it.toString() !== 'REPLACE') : command;
        const [name = none, ...rest] = words;
        const ack = await lane.ask(name.toString(), ...rest);
        if (typeof ack === 'string' && ack.startsWith('NOPERM'))
          throw new RolloutError('MissingPermission', `the restore needs FUNCTION LOAD: ${ack}`);
        if (typeof ack === 'string' && !/already exists/i.test(ack))
          throw new RolloutError('Stopped', `${lane.address} refused a function library: ${ack}`);
      }
  }
}

const none = Buffer.alloc(0);
const UNMASKED_VALUES = 'values of modules, which can’t be masked';
const UNMASKED_FUNCTIONS = 'function libraries, which can’t be masked';
