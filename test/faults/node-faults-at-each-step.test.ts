import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createActivities } from '../../activities/index.js';
import type { Activities } from '../../model/work.js';
import { parseInfo, releaseFromInfo } from '../../redis/info.js';
import { untruths, type ServerNow } from '../../scripts/chaos/statement.js';
import { clockOff, serversWithClocks } from '../../scripts/sandbox/clocks.js';
import { Sandbox, type SandboxNode } from '../../scripts/sandbox/cluster.js';
import { slowFor } from '../../scripts/sandbox/detour.js';
import { diskFull, hung, killed, noMoreMemory, type NodeFault, type Undo } from '../../scripts/sandbox/node-faults.js';
import { readNodes } from '../../scripts/sandbox/node-states.js';
import type { Operation } from '../../scripts/sandbox/operation.js';
import { Stage } from '../../scripts/sandbox/stage.js';
import { Toxiproxy } from '../../scripts/sandbox/toxiproxy.js';
import { RetryReader } from '../../workers/read-retries.js';
import { Dataset } from '../e2e/stage/dataset.js';
import { expectCompleted, expectNothingLost } from '../e2e/stage/evidence.js';
import { expectWhole } from '../e2e/stage/nodes.js';

// Each activity that does something at a node is held as it begins, the node is struck, and the activity let go. The fault
// is taken away once it is noticed (the upgrade ended, waits for or tries again what names the node), after a while, or
// when the next step begins; the next step has the next fault.
type Activity = keyof Activities;
type Struck = 'replica' | 'primary';

/** Who is struck at which step: the replica that is upgraded first, or the old primary. Where both are, at each one's own. */
const steps: Record<Activity, readonly Struck[]> = {
  assess: ['replica'],
  backUpShard: ['replica'],
  runProbe: ['primary'],
  checkGates: ['replica'],
  readCluster: ['replica'],
  readShard: ['primary'],
  prepareShard: ['replica'],
  isolate: ['replica', 'primary'],
  snapshot: ['replica', 'primary'],
  swapVersion: ['replica', 'primary'],
  rejoin: ['replica', 'primary'],
  verifyNode: ['replica', 'primary'],
  release: ['replica', 'primary'],
  // The old primary, once for each fault: see below.
  handOver: ['replica'],
  putBackShard: ['primary'],
  readLedger: ['primary'],
  // Only where a fault leads there.
  revert: ['replica'],
  bringBack: ['replica'],
  // Only for shards with a second replica, and as verifyNode.
  compareReplica: [],
  // Only with a fallback.
  addStandby: [],
  freezeStandby: [],
  removeStandby: [],
  readStandbys: [],
  assessFallback: [],
  lookBack: [],
  seeStandbys: [],
  follow: [],
  cutOver: [],
  returnNode: [],
  restoreShard: [],
  // At no node.
  completeBackup: [],
  writeReport: [],
};
const startingSteps: readonly Activity[] = ['swapVersion', 'revert', 'bringBack'];
const onlyAfterFault: readonly Activity[] = ['revert', 'bringBack'];

const nobody = (): never => {
  throw new Error('only their names are asked for');
};
const activities = Object.keys(
  createActivities({ deployments: '', state: '', searchable: false, collectReport: nobody }),
) as Activity[];

/** A node that is struck as a step begins. */
interface Strike {
  activity: Activity;
  node: SandboxNode;
  /** Only where the step is about this node. */
  own: boolean;
  name: string;
  fault: NodeFault;
}

/** Beyond what the deployment's gates tolerate. */
const SLOW_MS = 800;
/** What stands still or is slow is so for no longer: each look at it costs seconds. */
const LASTS_MS = 15_000;
const CLOCK_OFF_MS = 30_000;

const FROM = '7.0.15';
const TO = '8.2.3';
let stage: Stage;
let toxiproxy: Toxiproxy;
let servers: Record<string, string>;
let faults: readonly (readonly [name: string, fault: NodeFault])[];

beforeAll(async () => {
  stage = await Stage.open({ quickRetries: true });
  toxiproxy = await Toxiproxy.start();
  servers = await serversWithClocks(stage.root, [FROM, TO]);
  const slow = slowFor(toxiproxy, stage.faults.folder, SLOW_MS);
  faults = Object.entries({ killed, hung, slow, diskFull, noMoreMemory, clockOff: clockOff(CLOCK_OFF_MS) });
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await toxiproxy.stop();
});

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

/** One upgrade under its faults, and its further starts. */
class Upgrade {
  /** Faults of this upgrade that have struck, in the order in which they were drawn. */
  readonly #struck = new Set<number>();
  readonly told: string[] = [];
  readonly #begun = Date.now();
  #undo: Undo | undefined;
  #inHand: Strike | undefined;
  #last = '';

  private constructor(
    readonly cluster: Sandbox,
    readonly strikes: readonly Strike[],
    /** Index of its first hold among all of the stage. */
    readonly first: number,
  ) {}

  /** Has each of the steps held as it begins. */
  static async under(cluster: Sandbox, strikes: readonly Strike[]): Promise<Upgrade> {
    const first = (await stage.faults.read()).length;
    await stage.faults.draw(
      ...strikes.map(({ activity, node, own }) => ({
        ...{ activity, when: 'before' as const, kind: 'hold' as const },
        ...(own ? { node: node.address } : {}),
      })),
    );
    return new Upgrade(cluster, strikes, first);
  }

  tell(what: string): void {
    this.told.push(`${((Date.now() - this.#begun) / 1000).toFixed(1)} s ${what}`);
  }

  /** A step that is held and was not struck yet, by its place among the strikes. */
  async held(): Promise<number | undefined> {
    const fired = await stage.faults.fired();
    return fired
      .map(({ fault }) => fault - this.first)
      .find((i) => i >= 0 && i < this.strikes.length && !this.#struck.has(i));
  }

  /** Strikes the node as the held step begins, and lets it go. */
  async strike(i: number): Promise<SandboxNode> {
    this.#struck.add(i);
    const strike = this.strikes[i];
    if (!strike) throw new Error(`there is no strike ${i}`);
    const { activity, node, name, fault } = strike;
    this.tell((this.#last = `${name} at ${activity} (${node.address})`));
    this.#inHand = strike;
    // What an earlier fault has ended can't be struck again.
    this.#undo = (await this.cluster.pids(node)).length === 0 ? undefined : await fault(this.cluster, node);
    await stage.faults.letGo();
    return node;
  }

  /** Takes the fault away; what has ended by it is started by hand, unless the step is about to do that itself. */
  async heal(): Promise<void> {
    const undo = this.#undo;
    this.#undo = undefined;
    await undo?.();
    if (this.#inHand && !startingSteps.includes(this.#inHand.activity)) await this.cluster.start(this.#inHand.node);
  }

  /** Takes the fault away after the upgrade has stopped: what it left down, the next start brings back. */
  async takeAway(): Promise<void> {
    this.#inHand = undefined;
    await this.heal();
  }

  /** What a person does who is told that a node is down, and that nothing of the upgrade's own is known of it. */
  async startByHand(): Promise<void> {
    for (const node of this.cluster.nodes) await this.cluster.start(node);
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
  async ended(operation: Operation, before: readonly ServerNow[]): Promise<boolean> {
    const { status } = await operation.read();
    const { result, statement = '' } = status;
    this.tell(`  ${result ?? ''}: ${statement}`);
    if (result === 'completed') {
      expectCompleted(await operation.result());
      return true;
    }
    const { next } = await operation.failure();
    expect({ fault: this.#last, untrue: untruths(statement, before, await look(this.cluster)) }).toEqual({
      fault: this.#last,
      untrue: [],
    });
    expect(next).not.toBe('');
    if (statement.includes('Nothing was touched.')) await this.startByHand();
    else await expectNothingLost(operation);
    return false;
  }

  /** Steps that were never come to, though every upgrade comes by them. */
  get missed(): string[] {
    return this.strikes
      .filter(({ activity }, i) => !this.#struck.has(i) && !onlyAfterFault.includes(activity))
      .map(({ activity, node }) => `${activity} (${node.address})`);
  }
}

const MOST_STARTS = 15;

/** Starts until one completes, and what must hold then. */
async function upgradeUnder(
  name: string,
  primaries: number,
  strikesAt: (nodes: readonly SandboxNode[]) => readonly Strike[],
): Promise<void> {
  await using cluster = await Sandbox.cluster({
    release: FROM,
    primaries,
    servers,
    diskBytes: 64 * 1024 * 1024,
    // What it acknowledged is written when it is killed (everysec may put it off); and no fault lasts until another is
    // elected, which a sole primary's replica never is: the votes are the primaries'.
    configuration: ['appendonly yes', 'appendfsync no', `cluster-node-timeout ${primaries === 1 ? 20_000 : 120_000}`],
  });
  const dataset = await Dataset.write(cluster, 100);
  const before = await readNodes(cluster);
  await stage.deploy(name, cluster, {
    platform: { kind: 'process', servers },
    policy: { canarySoak: '0s', soak: '0s', handover: 'fast', settle: '1s', gates: { maxLatency: '500ms' } },
  });
  const upgrade = await Upgrade.under(cluster, strikesAt(cluster.nodes));

  try {
    for (let starts = 1, done = false; !done; starts++) {
      if (starts > MOST_STARTS) throw new Error(`not completed by ${MOST_STARTS} starts`);
      const servers = await look(cluster);
      const operation = await stage.start(name, TO);
      for (let state: 'ended' | 'heal' | 'passed' = 'passed'; state !== 'ended';) {
        const held = await upgrade.held();
        if (held !== undefined) {
          await upgrade.heal();
          state = await upgrade.noticed(operation, await upgrade.strike(held));
          if (state === 'heal') await upgrade.heal();
        } else if ((await operation.read()).status.result !== undefined) state = 'ended';
        else await sleep(50);
      }
      done = await upgrade.ended(operation, servers);
      await upgrade.takeAway();
    }
    expect(upgrade.missed).toEqual([]);
    await expectWhole(cluster, { release: TO, before });
    await dataset.expectSame(10_000);
  } catch (error) {
    throw new Error(`${upgrade.told.join('\n')}\n${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** ROLLOUT_THOROUGH=1: each step has each fault. */
const rounds = process.env['ROLLOUT_THOROUGH'] === '1' ? [0, 1, 2, 3, 4, 5] : [0, 3];

test.each(rounds)(
  'each step of a shard’s upgrade with another fault, turned by %i',
  (round) =>
    upgradeUnder(`orders-${round}`, 1, ([primary, replica]) =>
      activities
        .flatMap((activity) => steps[activity].map((struck) => ({ activity, struck })))
        .map(({ activity, struck }, i) => {
          const [node, drawn] = [struck === 'primary' ? primary : replica, faults[(i + round) % faults.length]];
          if (!node || !drawn) throw new Error('the shard has two nodes');
          return { activity, node, own: steps[activity].length > 1, name: drawn[0], fault: drawn[1] };
        }),
    ),
  900_000,
);

// Nothing is lost by any of them, since nobody is promoted who has not all of it: a handover begins only while both answer,
// and the fault ends before the others would vote. A primary that is away for longer than cluster-node-timeout is replaced
// by Redis itself, with an upgrade as without one, and what its replica had not got yet is lost: not asserted here.
test(
  'each handover with another fault at its old primary',
  () =>
    upgradeUnder('orders', faults.length, (nodes) =>
      faults.map(([name, fault], i) => {
        const node = nodes[i];
        if (!node) throw new Error('each fault has a shard');
        return { activity: 'handOver', node, own: true, name, fault };
      }),
    ),
  900_000,
);
