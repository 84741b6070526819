import type { Activities } from '../../model/work.js';
import { Random, seedFor } from './random.js';

export const faultLevels = ['none', 'some', 'many'] as const;
export type FaultLevel = (typeof faultLevels)[number];

/** What goes wrong with one act. */
export interface Fault {
  kind:
    | 'none'
    /** Its first attempts fail before anything is done. */
    | 'fails first'
    /** It is done, and nobody hears of it: the worker died. */
    | 'reply lost'
    /** Gates don't pass for some looks. */
    | 'gate blocks'
    /** The backlog no longer reaches back. */
    | 'backlog overrun'
    /** It says OK and moves nothing. */
    | 'failover does nothing'
    /** The new release does not come up. */
    | 'does not start'
    /** Keys differ after the swap. */
    | 'differs'
    /** The node that is worked on dies; its supervisor brings it back. */
    | 'node crashes'
    /** The shard's primary dies at the act. */
    | 'primary crashes'
    /** Somebody else fails the shard over. */
    | 'failover by somebody'
    /** It fails however often it is tried. */
    | 'keeps failing';
  times: number;
}

type Act = keyof Activities;
type Weights = readonly (readonly [Fault['kind'], number])[];

const passing: Weights = [
  ['fails first', 3],
  ['reply lost', 4],
];

/** What ends by itself or by another try: an upgrade comes through. */
const transient: Partial<Record<Act, Weights>> = {
  checkGates: [['gate blocks', 3], ...passing],
  rejoin: [['backlog overrun', 4], ...passing],
};

/** What stops an upgrade, to be started again. */
const hard: Weights = [
  ['node crashes', 3],
  ['primary crashes', 2],
  ['failover by somebody', 2],
  ['keeps failing', 1],
];
const hardOf: Partial<Record<Act, Weights>> = {
  handOver: [['failover does nothing', 6], ...hard],
  swapVersion: [['does not start', 6], ...hard],
  verifyNode: [['differs', 4], ...hard],
  // Nothing of a node is in hand.
  assess: [['keeps failing', 1]],
  readCluster: [['keeps failing', 1]],
  completeBackup: [['keeps failing', 1]],
};

/** Of these nothing goes wrong: what they tell is what is compared, or no node is concerned. */
const spared: readonly Act[] = ['writeReport', 'readLedger', 'runProbe', 'putBackShard'];

const chances: Record<FaultLevel, { transient: number; hard: number }> = {
  none: { transient: 0, hard: 0 },
  some: { transient: 0.06, hard: 0 },
  many: { transient: 0.1, hard: 0.012 },
};

/** Which act goes wrong, and how: drawn from the seed once for each act, and remembered over its attempts. */
export class Faults {
  readonly #known = new Map<string, Fault>();

  constructor(
    readonly seed: number,
    readonly level: FaultLevel,
  ) {}

  /** @param act with what it is done to, and in which operation: the same for every attempt */
  of(name: Act, act: string): Fault {
    const known = this.#known.get(act);
    if (known) return known;
    const fault = this.#draw(name, new Random(seedFor(this.seed, act)));
    this.#known.set(act, fault);
    return fault;
  }

  #draw(name: Act, random: Random): Fault {
    const { transient: often, hard: seldom } = chances[this.level];
    const times = random.between(1, 3);
    if (spared.includes(name)) return { kind: 'none', times: 0 };
    if (random.chance(seldom)) return { kind: random.weighted(hardOf[name] ?? hard) ?? 'none', times };
    if (random.chance(often)) return { kind: random.weighted(transient[name] ?? passing) ?? 'none', times };
    return { kind: 'none', times: 0 };
  }
}
