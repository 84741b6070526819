import type { ReplicatedCommand } from '../replication/command-parser.js';
import type { Keys } from '../rewrite/keys.js';
import type { Absent } from './absent.js';
import { MOST_ARGUMENTS, type Batch } from './batch.js';
import { nameOf } from './name-of.js';
import { severalKeys } from './several-keys.js';
import { split } from './split.js';
import type { Losses } from './state.js';

export const SELECT = Buffer.from('@select');
const PERHAPS = Buffer.from('@perhaps');
const SEVERAL = Buffer.from('@several');
const AROUND = Buffer.from('@around');

export interface PlacingInput {
  db: number;
  cluster: boolean;
  /** Keys that the standby can't hold: what ends or keeps them may find nothing. */
  absent: Absent;
  losses: Losses;
  /** The name to send for an upper-case command. */
  renamed: ReadonlyMap<string, Buffer>;
  keysOf: (args: Buffer[]) => Keys;
  /** A key of the selected database is to be copied. */
  mark: (key: Buffer) => void;
}

/** Puts what the standby understands into the batch under way as its script takes it: in pieces where it is too long for one. */
export class Placing {
  /** To be set before anything is put. */
  batch!: Batch;
  /** The database that the stream has selected. */
  db: number;
  readonly #in: PlacingInput;

  constructor(input: PlacingInput) {
    this.#in = input;
    this.db = input.db;
  }

  put(args: Buffer[], upTo: number, encoded?: ReplicatedCommand['encoded'], owner = upTo): void {
    const pieces = args.length > MOST_ARGUMENTS ? split(args) : undefined;
    if (args.length > MOST_ARGUMENTS && !pieces) {
      const keys = this.#in.keysOf(args);
      if (keys === 'all') this.#in.losses.add(`${nameOf(args)} of ${args.length} arguments`, args.slice(1, 2));
      else for (const key of keys.writes) this.#in.mark(key);
      return;
    }
    const several = this.#in.cluster ? severalKeys(args) : undefined;
    if (pieces || several !== undefined) {
      const all = pieces ?? [args];
      for (const [i, piece] of all.entries())
        this.batch.add(this.#sent(piece, several), i === all.length - 1 ? upTo : this.batch.to, owner);
      return;
    }
    const first = args[0]?.[0] ?? 0;
    // S, s, F, f: SELECT, SWAPDB, FLUSHALL, FLUSHDB.
    if (first === 0x53 || first === 0x73 || first === 0x46 || first === 0x66) {
      const special = this.#special(args);
      if (special) {
        if (special !== 'nothing') this.batch.add(special, upTo, owner);
        return;
      }
    }
    const sent = this.#sent(args);
    // P, p: PEXPIREAT, PERSIST.
    if ((first === 0x50 || first === 0x70) && args[1] && this.#in.absent.has(this.db, args[1]))
      this.batch.add([PERHAPS, ...sent], upTo, owner);
    else this.batch.add(sent, upTo, owner, sent === args ? encoded : undefined);
  }

  /** By the name that the deployment gives it; in a cluster whichever of its keys are there. */
  #sent(args: Buffer[], several?: string): Buffer[] {
    const renamed = this.#in.renamed.size === 0 ? undefined : this.#in.renamed.get(nameOf(args));
    const sent = renamed === undefined ? args : [renamed, ...args.slice(1)];
    return several === undefined ? sent : [SEVERAL, Buffer.from(several), ...sent];
  }

  #special(args: Buffer[]): Buffer[] | 'nothing' | undefined {
    const length = args[0]?.length ?? 0;
    if (length < 6 || length > 8) return undefined;
    const name = nameOf(args);
    if (name === 'SELECT') {
      this.db = Number(args[1]?.toString('latin1'));
      return this.#in.cluster ? 'nothing' : [SELECT, ...args.slice(1)];
    }
    if (name === 'SWAPDB' || name === 'FLUSHALL' || name === 'FLUSHDB')
      return [AROUND, this.#in.renamed.get(name) ?? Buffer.from(name), ...args.slice(1)];
    return undefined;
  }
}
