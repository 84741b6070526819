import { setTimeout as sleep } from 'node:timers/promises';
import { RolloutError } from '../../model/failures.js';
import { SLOTS, type TopologyView } from '../../model/topology.js';
import { at, isSilent, type Endpoint } from '../connection.js';
import { readTopology } from '../topology.js';
import { nameOf, takeOver, type Attempt } from './attempt.js';
import { Lane, TargetLost, type Outcome } from './lane.js';

/** Longest that a slot may be served by nobody, or on its way, before the restore gives up, ms. */
export const PATIENCE_MS = 120_000;
/** Longest that replicas may take to confirm what their primaries have, ms. */
const CONFIRM_MS = 5000;

/** For whoever writes: which attempt it is, and a look whether it still is the one that may. */
export interface Fenced {
  attempt: Attempt;
  mayWrite: () => void;
}

/** The primaries of a cluster, by slot. */
export class Targets {
  readonly #bySlot = new Array<Lane | undefined>(SLOTS).fill(undefined);
  #lanes = new Map<string, Lane>();

  private constructor(
    private readonly endpoint: Endpoint,
    private readonly seeds: readonly string[],
    private readonly outcome: Outcome,
    private readonly signal: AbortSignal | undefined,
    private readonly fenced: Fenced | undefined,
  ) {}

  /** @throws TargetLost where a primary can't be reached; RolloutError Unauthorized, Unreachable */
  static async open(
    endpoint: Endpoint,
    {
      seeds,
      outcome,
      signal,
      fenced,
    }: { seeds: readonly string[]; outcome: Outcome; signal?: AbortSignal | undefined; fenced?: Fenced | undefined },
  ): Promise<Targets> {
    const targets = new Targets(endpoint, seeds, outcome, signal, fenced);
    try {
      await targets.#route(await readTopology(endpoint, seeds));
    } catch (error) {
      targets.close();
      throw isSilent(error) ? new TargetLost(error.message) : error;
    }
    return targets;
  }

  get lanes(): Lane[] {
    return [...this.#lanes.values()];
  }

  /** Undefined where nobody serves the slot. */
  laneOf(slot: number): Lane | undefined {
    return this.#bySlot[slot];
  }

  /**
   * Has another look at who serves which slot.
   *
   * @throws TargetLost where a node that was written to is a primary no more
   */
  async lookAgain(): Promise<void> {
    await sleep(250, undefined, { ...(this.signal ? { signal: this.signal } : {}) });
    try {
      await this.#route(await readTopology(this.endpoint, this.seeds));
    } catch (error) {
      throw isSilent(error) ? new TargetLost(error.message) : error;
    }
  }

  async #route({ shards }: TopologyView): Promise<void> {
    const serving = new Set(shards.map(({ primary }) => primary.address));
    for (const { address } of this.lanes)
      if (!serving.has(address)) throw new TargetLost(`${address} serves no slots any more`);
    const routed = new Set<number>();
    for (const { primary, replicas, slots } of shards) {
      let lane = this.#lanes.get(primary.address);
      if (!lane) {
        const { release } = primary;
        const own = at(this.endpoint, primary.address);
        const { outcome, fenced } = this;
        const mayWrite = fenced === undefined ? {} : { mayWrite: fenced.mayWrite };
        lane = await Lane.open(own, { release, replicas: replicas.length, outcome, ...mayWrite });
        this.#lanes.set(primary.address, lane);
        if (fenced) {
          await lane.ask('CLIENT', 'SETNAME', nameOf(fenced.attempt));
          await takeOver(own, fenced.attempt);
        }
      }
      for (const [from, to] of slots)
        for (let slot = from; slot <= to; slot++) {
          this.#bySlot[slot] = lane;
          routed.add(slot);
        }
    }
    for (let slot = 0; slot < SLOTS; slot++) if (!routed.has(slot)) this.#bySlot[slot] = undefined;
  }

  /** Until everything is answered. @throws TargetLost */
  async settled(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.settled()));
  }

  /** Until there is room for more at each. @throws TargetLost */
  async room(): Promise<void> {
    for (const lane of this.lanes) if (lane.crowded) await lane.room();
  }

  /**
   * Do the replicas have what their primaries acknowledged? Only then it is there after a failover, too.
   *
   * @throws TargetLost; RolloutError MissingPermission
   */
  async confirmed(): Promise<boolean> {
    const followed = this.lanes.filter(({ replicas }) => replicas > 0);
    const acks = await Promise.all(followed.map((lane) => lane.ask('WAIT', lane.replicas, CONFIRM_MS)));
    const refused = acks.find((ack) => typeof ack === 'string');
    if (refused !== undefined) throw new RolloutError('MissingPermission', `the restore needs WAIT: ${refused}`);
    return followed.every(({ replicas }, i) => Number(acks[i]) >= replicas);
  }

  close(): void {
    for (const lane of this.lanes) lane.close();
  }
}
