import type { Absent } from './absent.js';
import { across, type Across } from './across.js';
import type { ReplicatedCommand } from '../replication/command-parser.js';
import { Batch, type Piece } from './batch.js';
import { Copier, type Connections } from './copier.js';
import { DirtyKeys } from './dirty-keys.js';
import type { Flights, Landed } from './flights.js';
import { Margins } from './margins.js';
import { nameOf } from './name-of.js';
import { Placing, SELECT } from './placing.js';
import { dirtyField, type FollowRecord } from './record.js';
import type { Losses } from './state.js';
import { fieldsExpire } from '../rewrite/hashes.js';
import { isForScripts, type Rewriter } from '../rewrite/rewriter.js';
import type { FollowTools } from './tools.js';

export interface ApplierInput {
  flights: Flights;
  record: FollowRecord;
  recordKey: Buffer;
  cluster: boolean;
  source: string;
  target: string;
  tools: FollowTools;
  /** Commands of the stream, by the offset after them, that failed at the standby: their keys are copied instead. */
  failed: ReadonlyMap<number, string>;
  losses: Losses;
  /** Keys that the standby can't hold; kept over several connections. */
  absent: Absent;
  /** `rename-command` of the deployment: the name to send for an upper-case command. */
  renamed: Readonly<Record<string, string>>;
  /** Something was applied. */
  onLanded: (landed: Landed) => void;
}

/** Turns a shard's stream into batches for its standby, in order; what can't be applied is copied from the primary. */
export class Applier {
  readonly margins: Margins;
  readonly dirty = new DirtyKeys();
  /** Last byte of the stream that was put into a batch. */
  position: number;
  readonly #in: ApplierInput;
  readonly #rewriter: Rewriter;
  #batch: Batch;
  #replid: string;
  /** Since MULTI. */
  #transaction: ReplicatedCommand[] | undefined;
  readonly #copier: Copier;
  /** By the names under which the deployment has them. */
  readonly #canonical: ReadonlyMap<string, Buffer>;
  readonly #placing: Placing;

  constructor(input: ApplierInput) {
    const { record, tools, source, target } = input;
    this.#in = input;
    this.position = record.offset;
    this.#replid = record.replid;
    this.margins = new Margins(record.exact, record.exactMs);
    for (const { db, key } of record.dirty) this.dirty.add(db, key);
    const renamed = Object.entries(input.renamed);
    this.#canonical = new Map(renamed.map(([name, as]) => [as.toUpperCase(), Buffer.from(name)]));
    this.#rewriter = tools.rewriterFor({ source, target, marginMs: this.margins.of });
    this.#placing = new Placing({
      ...{ db: record.db, cluster: input.cluster, absent: input.absent, losses: input.losses },
      renamed: new Map(renamed.map(([name, as]) => [name, Buffer.from(as)])),
      keysOf: (args) => this.#rewriter.keysOf(args),
      mark: (key) => this.#mark(this.#db, key),
    });
    this.#batch = this.#begin();
    this.#copier = new Copier({
      ...{ tools, target, losses: input.losses, absent: input.absent, refusedCopies: input.flights.refusedCopies },
      ...{ dirty: this.dirty, margins: this.margins },
      onReady: () => {
        this.#applyCopies();
        this.flush();
      },
    });
    input.flights.onLanded = (landed) => {
      this.#in.onLanded(landed);
      this.flush();
    };
  }

  /** That the stream has selected. */
  get #db(): number {
    return this.#placing.db;
  }
  get #flights(): Flights {
    return this.#in.flights;
  }

  /** The stream goes on at this primary, under this name. */
  attached(primary: Connections, replid: string): void {
    this.#copier.attached(primary);
    this.#replid = replid;
    this.#batch.replid = replid;
    this.#batch.mustGo ||= replid !== this.#in.record.replid;
    this.flush();
    this.startCopies();
  }

  /**
   * Takes commands as they come. Waits where a command is about a key that is being copied, and where the standby is slower
   * than the stream.
   *
   * @throws what `Flights` was broken by
   */
  async take(commands: readonly ReplicatedCommand[]): Promise<void> {
    for (const command of commands) {
      if (this.#canonical.size > 0) {
        const name = this.#canonical.get(nameOf(command.args));
        if (name) command.args[0] = name;
      }
      const kind = command.args.length === 1 ? transactionPart(command.args[0]) : undefined;
      if (this.#transaction) {
        this.#transaction.push(command);
        if (kind !== 'exec') continue;
        const all = this.#transaction;
        this.#transaction = undefined;
        await this.#group(all);
      } else if (kind === 'multi') this.#transaction = [command];
      else if (kind === 'exec') this.#pass(command);
      else if (!isForScripts(command.args)) await this.#outside(command);
      else if (this.dirty.size === 0 && this.#in.failed.size === 0) this.#one(command);
      else await this.#group([command]);
      if (this.#batch.isFull) {
        this.#turn();
        const full = this.#flights.room();
        if (full) await full;
      }
    }
    this.flush();
    this.startCopies();
  }

  /** Sends what there is, unless enough is under way already: then it grows until something has landed. */
  flush(): void {
    if (this.#batch.isEmpty || !this.#flights.isFree) return;
    this.#turn();
  }

  /** Sends a sign of life even where nothing has changed. */
  beat(): void {
    if (!this.#batch.isEmpty || this.#flights.count > 0) return;
    this.#batch.mustGo = true;
    this.flush();
  }

  /** A piece of the follower's own, between two of the stream. */
  insert(piece: Piece): void {
    this.#batch.add(piece, this.#batch.to, undefined);
  }

  /** A key that was found to be another than the primary's, although nothing of the stream has failed. */
  recopy(db: number, key: Buffer): void {
    this.#mark(db, key);
    this.flush();
    this.startCopies();
  }

  /** Asks for copies of dirty keys, some at a time. */
  startCopies(): void {
    this.#copier.start();
  }

  /** Puts in the copies whose offset the stream has reached. */
  #applyCopies(): void {
    for (const { name, db, key, pieces } of this.#copier.take(this.position)) {
      const select = (to: number): void => {
        if (db !== this.#db) this.#batch.add([SELECT, Buffer.from(String(to))], this.#batch.to, name);
      };
      select(db);
      for (const piece of pieces) {
        if (this.#batch.isFull) {
          // The next one begins in the stream's database.
          this.#turn();
          select(db);
        }
        this.#batch.add(piece, this.#batch.to, name);
      }
      select(this.#db);
      this.#batch.unmark(dirtyField(db, key));
      this.#batch.recopied++;
    }
  }

  /** Commands that belong together, where some key is dirty. */
  async #group(commands: readonly ReplicatedCommand[]): Promise<void> {
    for (const { args } of commands) await this.#settled(args);
    this.#applyCopies();
    const needed = commands.reduce((sum, { args }) => sum + 2 * args.length + 2, 0);
    if (!this.#batch.holds(needed)) this.#turn();
    for (const command of commands) {
      if (command.args.length === 1 && transactionPart(command.args[0])) this.#pass(command);
      else if (!isForScripts(command.args)) await this.#outside(command);
      else if (this.dirty.size === 0 && this.#in.failed.size === 0) this.#one(command);
      else this.#careful(command);
    }
    this.#applyCopies();
  }

  /** What no script may run: it goes by itself, after all before it, and does no harm when it comes again. */
  async #outside(command: ReplicatedCommand): Promise<void> {
    const result = this.#rewriter.rewrite(command.args);
    if (result.kind === 'unrepresentable' || result.kind === 'recopy')
      this.#in.losses.add(result.kind === 'recopy' ? result.reason : result.what, command.args.slice(2, 3));
    const pieces = result.kind === 'same' ? [command.args] : result.kind === 'rewritten' ? result.commands : [];
    if (pieces.length > 0) {
      if (!this.#batch.isEmpty) this.#turn();
      await this.#flights.settled();
    }
    for (const piece of pieces) {
      const failure = await this.#flights.byItself(piece);
      if (failure !== undefined) this.#in.losses.add(`${nameOf(piece)}, which failed: ${failure}`, []);
    }
    this.#pass(command);
  }

  /** Waits for the copies that are asked for of keys which a command is about: they may be of before or after it. */
  async #settled(args: Buffer[]): Promise<void> {
    if (this.dirty.size === 0) return;
    const keys = this.#rewriter.keysOf(args);
    const touched =
      keys === 'all' ? [...this.dirty.values()] : this.dirty.among(this.#db, [...keys.reads, ...keys.writes]);
    for (const it of touched) if (it.state === 'copying') await it.answered;
  }

  #careful(command: ReplicatedCommand): void {
    const { args, offset } = command;
    const keys = this.#rewriter.keysOf(args);
    const failure = this.#in.failed.get(offset);
    if (failure !== undefined) {
      const reaching = across(args, this.#db);
      if (reaching) this.#markAcross(reaching);
      else if (keys === 'all' || keys.writes.length === 0)
        this.#in.losses.add(`${nameOf(args)}, which failed: ${failure.slice(0, 100)}`, args.slice(1, 2));
      else for (const key of keys.writes) this.#mark(this.#db, key);
      this.#pass(command);
      return;
    }
    if (keys !== 'all') {
      if (this.dirty.among(this.#db, [...keys.reads, ...keys.writes]).length > 0) {
        for (const key of keys.writes) this.#mark(this.#db, key);
        this.#pass(command);
        return;
      }
    } else if (this.#movesDirty(args)) {
      this.#pass(command);
      return;
    }
    this.#one(command);
  }

  /** Commands that reach into another database: true where the keys are copied instead. */
  #movesDirty(args: Buffer[]): boolean {
    const name = nameOf(args);
    const number = (at: number): number => Number(args[at]?.toString('latin1'));
    if (name === 'SWAPDB') {
      const [a, b] = [number(1), number(2)];
      for (const it of [...this.dirty.values()])
        if (it.db === a || it.db === b) {
          this.#mark(it.db === a ? b : a, it.key);
          it.state = 'dirty';
        }
      return false;
    }
    const found = across(args, this.#db);
    if (!found || ![found.from, found.to].some(({ db, key }) => this.dirty.has(db, key))) return false;
    this.#markAcross(found);
    return true;
  }

  #markAcross({ from, to, isTaken }: Across): void {
    if (isTaken) this.#mark(from.db, from.key);
    this.#mark(to.db, to.key);
  }

  /** One command, none of whose keys is dirty. */
  #one(command: ReplicatedCommand): void {
    const { args, offset } = command;
    if (args[1]?.equals(this.#in.recordKey)) {
      // The primary may have been a standby itself.
      this.#pass(command);
      return;
    }
    const result = this.#rewriter.rewrite(args);
    switch (result.kind) {
      case 'same':
        this.#placing.put(args, offset, command.encoded);
        break;
      case 'rewritten':
        for (const [i, piece] of result.commands.entries())
          this.#placing.put(piece, i === result.commands.length - 1 ? offset : this.#batch.to, undefined, offset);
        if (result.lost) this.#in.losses.add(result.lost.what, result.lost.keys);
        this.#batch.rewritten++;
        break;
      case 'recopy':
        for (const key of result.keys) this.#mark(result.db ?? this.#db, key);
        break;
      case 'unrepresentable':
        this.#in.losses.add(result.what, result.keys);
        if (result.what !== fieldsExpire) for (const key of result.keys) this.#in.absent.add(this.#db, key);
        break;
      case 'nothing':
        break;
    }
    this.#pass(command);
  }

  /** Afterwards the command is behind us, applied or not. */
  #pass({ offset }: ReplicatedCommand): void {
    this.position = offset;
    this.#batch.to = offset;
    this.#batch.commands++;
  }

  #mark(db: number, key: Buffer): void {
    const name = DirtyKeys.nameOf(db, key);
    if (!this.dirty.add(db, key, this.#copier.notBefore(name))) return;
    this.#batch.mark(dirtyField(db, key));
  }

  #begin(): Batch {
    const batch = new Batch({ replid: this.#replid, offset: this.position }, this.#db);
    this.#placing.batch = batch;
    return batch;
  }

  #turn(): void {
    const batch = this.#batch;
    this.#flights.send(batch);
    this.#batch = this.#begin();
  }
}

function transactionPart(name: Buffer | undefined): 'multi' | 'exec' | undefined {
  if (name?.length !== 4 && name?.length !== 5) return undefined;
  const text = name.toString('latin1').toLowerCase();
  return text === 'multi' || text === 'exec' ? text : undefined;
}
