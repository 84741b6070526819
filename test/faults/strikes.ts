import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { OperationStatus } from '../../model/operation.js';
import type { Activities } from '../../model/work.js';
import { parseInfo, releaseFromInfo } from '../../redis/info.js';
import { untruths, type ServerNow } from '../../scripts/chaos/statement.js';
import { clockOff, serversWithClocks } from '../../scripts/sandbox/clocks.js';
import type { Sandbox, SandboxNode } from '../../scripts/sandbox/cluster.js';
import { slowFor } from '../../scripts/sandbox/detour.js';
import { diskFull, hung, killed, noMoreMemory, type NodeFault, type Undo } from '../../scripts/sandbox/node-faults.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Toxiproxy } from '../../scripts/sandbox/toxiproxy.js';
import { RetryReader } from '../../workers/read-retries.js';
import { expectCompleted, expectNothingLost } from '../e2e/stage/evidence.js';
import { thorough } from '../thorough.js';

// Each activity that does something at a node is held as it begins, the node is struck, and the activity let go. The fault
// is taken away once it is noticed (the operation ended, waits for or tries again what names the node), after a while, or
// when the next step begins; the next step has the next fault.
export type Activity = keyof Activities;

/** A node that is struck as a step begins. */
export interface Strike {
  activity: Activity;
  node: SandboxNode;
  /** Only where the step is about this node. */
  own: boolean;
  name: string;
  fault: NodeFault;
}

/** Who is struck at which step: the replica, or the primary. Where both are, at each one's own. */
export type Steps = Readonly<Partial<Record<Activity, readonly ('replica' | 'primary')[]>>>;

/** Beyond what the deployment's gates tolerate. */
const SLOW_MS = 800;
/** What stands still or is slow is so for no longer: each look at it costs seconds. */
const LASTS_MS = 15_000;
const CLOCK_OFF_MS = 30_000;

/** A stage, what its nodes can be struck with, and the servers whose clocks can be set. */
export class FaultStage implements AsyncDisposable {
  private constructor(
    readonly stage: Stage,
    readonly servers: Record<string, string>,
    readonly faults: readonly (readonly [name: string, fault: NodeFault])[],
    readonly toxiproxy: Toxiproxy,
  ) {}

  static async open(releases: readonly string[]): Promise<FaultStage> {
    const stage = await Stage.open({ quickRetries: true });
    const toxiproxy = await Toxiproxy.start();
    const servers = await serversWithClocks(stage.root, releases);
    const slow = slowFor(toxiproxy, stage.faults.folder, SLOW_MS);
    const faults = Object.entries({ killed, hung, slow, diskFull, noMoreMemory, clockOff: clockOff(CLOCK_OFF_MS) });
    return new FaultStage(stage, servers, faults, toxiproxy);
  }

  /** Each step with another fault; turned by one more, with the next: in as many rounds as there are faults, with each. */
  strikes(steps: Steps, at: { primary: SandboxNode; replica: SandboxNode }, round: number): Strike[] {
    return (Object.keys(steps) as Activity[])
      .flatMap((activity) =>
        (steps[activity] ?? []).map((struck, _, all) => ({ activity, struck, own: all.length > 1 })),
      )
      .map(({ activity, struck, own }, i) => {
        const drawn = this.faults[(i + round) % this.faults.length];
        if (!drawn) throw new Error('there is no fault');
        return { activity, node: at[struck], own, name: drawn[0], fault: drawn[1] };
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
    await this.toxiproxy.stop();
  }
}

const look = (cluster: Sandbox): Promise<ServerNow[]> =>
  Promise.all(
    cluster.nodes.map(async (node) => {
      try {
        await using connection = await cluster.connect(node);
        const info = parseInfo(String(await connection.call('INFO')));
        return {
          address: node.address,
          release: releaseFromInfo(info),
          serves: info['role'] === 'master',
          runId: info['run_id'] ?? '',
        };
      } catch {
        return { address: node.address, release: undefined, serves: false, runId: '' };
      }
    }),
  );

/** One operation under its faults, and its further starts. */
class Struck {
  /** Faults of this operation whose step has come, in the order in which they were drawn. */
  readonly #struck = new Set<number>();
  /** Those of them that struck nothing: no process served the node. */
  readonly #skipped = new Set<number>();
  readonly told: string[] = [];
  readonly #begun = Date.now();
  #undo: Undo | undefined;
  #inHand: Strike | undefined;
  #last = '';
  /** The servers when the operation began, without those that were started by hand since. */
  #before: ServerNow[] = [];

  private constructor(
    readonly under: Undertaking,
    /** Index of its first hold among all of the stage. */
    readonly first: number,
  ) {}

  /** Has each of the steps held as it begins. */
  static async begin(under: Undertaking): Promise<Struck> {
    const { stage, strikes } = under;
    const first = (await stage.faults.read()).length;
    await stage.faults.draw(
      ...strikes.map(({ activity, node, own }) => ({
        ...{ activity, when: 'before' as const, kind: 'hold' as const },
        ...(own ? { node: node.address } : {}),
      })),
    );
    return new Struck(under, first);
  }

  tell(what: string): void {
    this.told.push(`${((Date.now() - this.#begun) / 1000).toFixed(1)} s ${what}`);
  }

  /** A step that is held and was not struck yet, by its place among the strikes. */
  async held(): Promise<number | undefined> {
    const fired = await this.under.stage.faults.fired();
    return fired
      .map(({ fault }) => fault - this.first)
      .find((i) => i >= 0 && i < this.under.strikes.length && !this.#struck.has(i));
  }

  /** Strikes the node as the held step begins, and lets it go. */
  async strike(i: number): Promise<SandboxNode> {
    this.#struck.add(i);
    const strike = this.under.strikes[i];
    if (!strike) throw new Error(`there is no strike ${i}`);
    const { activity, node, name, fault } = strike;
    this.tell((this.#last = `${name} at ${activity} (${node.address})`));
    this.#inHand = strike;
    // What an earlier fault has ended can't be struck again.
    if ((await this.under.cluster.pids(node)).length > 0) this.#undo = await fault(this.under.cluster, node);
    else {
      this.#skipped.add(i);
      this.#undo = undefined;
      this.tell('  skipped: no process serves it');
    }
    await this.under.stage.faults.letGo();
    return node;
  }

  /** Takes the fault away; what has ended by it is started by hand, unless the step is about to do that itself. */
  async heal(): Promise<void> {
    const undo = this.#undo;
    this.#undo = undefined;
    const { cluster, startingSteps } = this.under;
    const strike = this.#inHand;
    const ran = strike ? await cluster.pids(strike.node) : [];
    await undo?.();
    if (!strike) return;
    if (!startingSteps.includes(strike.activity)) await cluster.start(strike.node);
    const startedByHand = (await cluster.pids(strike.node)).some((pid) => !ran.includes(pid));
    if (startedByHand) this.#before = this.#before.filter(({ address }) => address !== strike.node.address);
  }

  /** The operation is about to be started, or started again. */
  async begins(): Promise<void> {
    this.#before = await look(this.under.cluster);
  }

  /** Takes the fault away after the operation has stopped: what it left down, the next start brings back. */
  async takeAway(): Promise<void> {
    this.#inHand = undefined;
    await this.heal();
  }

  /** What a person does who finds a node down that no operation has in hand. */
  async startByHand(): Promise<void> {
    for (const node of this.under.cluster.nodes) await this.under.cluster.start(node);
  }

  /** And one who reads what a gate waits for: a server may have ended by a fault only after that was taken away. */
  async startWaitedFor({ waiting }: OperationStatus): Promise<void> {
    const { cluster } = this.under;
    for (const node of cluster.nodes) {
      const shown = waiting.find(({ kind, reason }) => kind === 'gate' && reason.includes(node.address));
      if (!shown || (await cluster.pids(node)).length > 0) continue;
      this.tell(`  ${node.address} is started by hand: ${shown.reason}`);
      await cluster.start(node);
      this.#before = this.#before.filter(({ address }) => address !== node.address);
    }
  }

  /** Until somebody can know of the fault, or it has done nothing to this step and the next one begins, or for a while. */
  async noticed(operation: Operation, { address }: SandboxNode): Promise<'ended' | 'heal' | 'passed'> {
    const retries = new RetryReader(operation.client);
    for (const end = Date.now() + LASTS_MS; ;) {
      if ((await this.held()) !== undefined) return 'passed';
      const { status } = await operation.read();
      if (status.result !== undefined) return 'ended';
      const shown = [
        ...status.waiting.map(({ reason, clears }) => (clears === '' ? '' : reason)),
        ...(await retries.read(operation)).map(({ failure }) => failure.message),
      ];
      if (shown.some((text) => text.includes(address))) {
        this.tell(`  shown: ${shown.join(' | ')}`);
        return 'heal';
      }
      if (Date.now() > end) {
        this.tell('  not shown');
        return 'heal';
      }
      await sleep(50);
    }
  }

  /** Completed; or stopped, and what it says is true. */
  async ended(operation: Operation): Promise<boolean> {
    const { status } = await operation.read();
    const { result, statement = '' } = status;
    this.tell(`  ${result ?? ''}: ${statement}`);
    if (result === 'completed') {
      expectCompleted(await operation.result());
      return true;
    }
    const { next } = await operation.failure();
    expect({ fault: this.#last, untrue: untruths(statement, this.#before, await look(this.under.cluster)) }).toEqual({
      fault: this.#last,
      untrue: [],
    });
    expect(next).not.toBe('');
    if (statement.includes('Nothing was touched.')) await this.startByHand();
    else await expectNothingLost(operation);
    return false;
  }

  /** Steps that were never come to, though every such operation comes by them. */
  get missed(): string[] {
    return this.#told((i) => !this.#struck.has(i));
  }

  /** Steps that passed unstruck, though every such operation comes by them with the node's server running. */
  get skipped(): string[] {
    return this.#told((i) => this.#skipped.has(i));
  }

  /** Where only a fault leads, the node may be what that has ended. */
  #told(which: (i: number) => boolean): string[] {
    return this.under.strikes.flatMap(({ activity, node, name }, i) =>
      which(i) && !this.under.onlyAfterFault.includes(activity) ? [`${name} at ${activity} (${node.address})`] : [],
    );
  }
}

export interface Undertaking {
  stage: Stage;
  cluster: Sandbox;
  strikes: readonly Strike[];
  /** These start the node themselves. */
  startingSteps: readonly Activity[];
  /** Only where a fault leads there. */
  onlyAfterFault: readonly Activity[];
  /** The operation, each time anew where it stopped. */
  start: () => Promise<Operation>;
  /** What must hold once it has completed. */
  whole: () => Promise<void>;
}

const MOST_STARTS = 15;
/** Less than the tests have, so that it says what it saw, ms. */
const WITHIN_MS = 840_000;

/** Starts until one completes, and then what must hold; what fails is told with every fault and word until then. */
export async function throughFaults(under: Undertaking): Promise<void> {
  const struck = await Struck.begin(under);
  const deadline = Date.now() + WITHIN_MS;
  let operation: Operation | undefined;
  try {
    for (let starts = 1, done = false; !done; starts++) {
      if (starts > MOST_STARTS) throw new Error(`not completed by ${MOST_STARTS} starts`);
      await struck.begins();
      operation = await under.start();
      for (let state: 'ended' | 'heal' | 'passed' = 'passed'; state !== 'ended';) {
        const held = await struck.held();
        if (Date.now() > deadline) {
          const { phase, reason, waiting } = (await operation.read()).status;
          throw new Error(`not at its end within ${WITHIN_MS} ms: ${JSON.stringify([phase, reason, waiting])}`);
        }
        if (held !== undefined) {
          await struck.heal();
          state = await struck.noticed(operation, await struck.strike(held));
          if (state === 'heal') await struck.heal();
          continue;
        }
        const { status } = await operation.read();
        if (status.result !== undefined) state = 'ended';
        else {
          await struck.startWaitedFor(status);
          await sleep(50);
        }
      }
      done = await struck.ended(operation);
      await struck.takeAway();
    }
    // The last fault may have ended a server that nothing was asked of any more.
    await struck.startByHand();
    expect({ missed: struck.missed, skipped: struck.skipped }).toEqual({ missed: [], skipped: [] });
    await under.whole();
  } catch (error) {
    await operation?.terminate();
    throw new Error(`${struck.told.join('\n')}\n${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  } finally {
    // The next has the same worker, and what no fault led to is still to befall somebody.
    await under.stage.faults.withdraw();
  }
}

/** Each step has each fault in a thorough run. */
export const rounds = (usual: readonly number[]): readonly number[] => (thorough ? [0, 1, 2, 3, 4, 5] : usual);
