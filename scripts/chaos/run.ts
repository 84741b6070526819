import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LedgerResult } from '../../model/evidence.js';
import type { OperationStatus, TimelineEntry } from '../../model/operation.js';
import { NOTHING_LEFT } from '../../model/standing.js';
import { until, type Sandbox } from '../sandbox/cluster.js';
import { readNodes } from '../sandbox/node-states.js';
import type { Operation } from '../sandbox/operation.js';
import { Stage } from '../sandbox/stage.js';
import { checkAfterwards } from './afterwards.js';
import { deploymentOf, environment, has, startCluster, TTL_TOLERANCE_MS } from './deployment.js';
import { Faults } from './faults.js';
import { keepEvidence } from './evidence.js';
import { violationsIn } from './invariants.js';
import { lostByUpgrade, type Lost } from './ledger.js';
import { readBack } from './read-back.js';
import type { Recording, Violation } from './recording.js';
import type { Scenario } from './scenario.js';
import { readServers } from './servers.js';
import { untruths } from './statement.js';
import { Watcher } from './watcher.js';
import { Writer } from './writer.js';

const NAME = 'chaos';
/** How often an upgrade that ended early is started again. */
const STARTS = 6;
/** How long an upgrade may stand still once every fault is over, ms. */
const PATIENCE_MS = 150_000;

/** How far the upgrade came. */
type End = 'finalized' | 'ended after the last node' | 'unfinished';

/** What became of one run. */
export interface RunResult {
  scenario: Scenario;
  /** `completed`, if need be after being started again; `stopped` when that didn't help. */
  result: 'completed' | 'stopped';
  ms: number;
  starts: number;
  /** Why each start that didn't complete ended, in its own words. */
  statements: string[];
  /** By both ledgers. */
  acknowledged: number;
  lost: Lost[];
  violations: Violation[];
  /** What else is not as it must be: it stood still, or a node never came back. */
  problems: string[];
  /** What chaos did, and what never came to pass. */
  faults: { told: string[]; left: string[] };
}

/**
 * Carries out one scenario, and checks everything. Once interrupted it ends all that it started, wherever that stood.
 *
 * @param keep folder for what explains a failure
 * @throws the signal's reason when it was interrupted
 */
export async function runScenario(
  scenario: Scenario,
  { keep, signal }: { keep: string; signal: AbortSignal },
): Promise<RunResult> {
  const begun = Date.now();
  await using stage = await Stage.open({
    durable: has(scenario, 'Temporal restarted'),
    environment,
    quickRetries: true,
  });
  signal.throwIfAborted();
  await using cluster = await startCluster(scenario, stage.root);
  const ended = new AbortController();
  try {
    const run = new ChaosRun(scenario, stage, cluster, signal);
    const outcome = await Promise.race([run.carryOut(), interruption(signal, ended.signal)]);
    const result = { ...outcome, ms: Date.now() - begun };
    if (isFailure(result))
      await keepEvidence(keep, { result, stage, cluster, recording: run.recording, histories: run.histories });
    return result;
  } finally {
    ended.abort();
    // Before the servers: a worker in the middle of an upgrade would start others in their place.
    await stage.endWorkers();
  }
}

/** Never fulfilled; rejects when the signal comes before the run has ended: the signal is that of many runs. */
function interruption(signal: AbortSignal, ended: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const interrupt = (): void => reject(signal.reason as Error);
    if (signal.aborted) interrupt();
    signal.addEventListener('abort', interrupt, { once: true, signal: ended });
  });
}

/** Is anything of it as it must not be? A stop with a true statement, and an end after it, is not. */
export const isFailure = ({ result, lost, violations, problems }: RunResult): boolean =>
  result !== 'completed' || lost.length > 0 || violations.length > 0 || problems.length > 0;

class ChaosRun {
  readonly #problems: string[] = [];
  readonly #lost: Lost[] = [];
  readonly #statements: string[] = [];
  readonly #violations: Violation[] = [];
  readonly #timelines: TimelineEntry[][] = [];
  readonly #watcher: Watcher;
  readonly #faults: Faults;
  #acknowledged = 0;
  /** Of all starts. */
  readonly histories: string[] = [];

  constructor(
    readonly scenario: Scenario,
    readonly stage: Stage,
    readonly cluster: Sandbox,
    readonly signal: AbortSignal,
  ) {
    this.#watcher = new Watcher(
      cluster.endpoint(),
      cluster.nodes.map(({ address }) => address),
    );
    this.#faults = new Faults(scenario, stage, cluster, this.#watcher);
  }

  get recording(): Recording {
    const { from, to } = this.scenario;
    const timeline = this.#timelines.flat();
    const overrun = has(this.scenario, 'backlog overrun');
    return { samples: this.#watcher.samples, events: this.#faults.events, timeline, from, to, overrun };
  }

  async carryOut(): Promise<Omit<RunResult, 'ms'>> {
    const { scenario, stage, cluster } = this;
    const nodes = cluster.nodes.map(({ address }) => address);
    const writer = await Writer.start({
      endpoint: cluster.endpoint(),
      nodes,
      keys: scenario.keys,
      rate: scenario.load.writes,
      listValueBytes: has(scenario, 'backlog overrun') ? 8000 : 24,
    });
    const before = await readNodes(cluster);
    await stage.deploy(NAME, cluster, { ...deploymentOf(scenario, stage.root), ...(await this.#faults.arm()) });
    stage.keepWorker();
    let end: End = 'unfinished';
    try {
      for (let start = 1; start <= STARTS && end === 'unfinished'; start++) end = await this.#start();
    } finally {
      await this.#faults.over();
      await writer.stop();
      await this.#watcher.stop();
    }
    const completed = end !== 'unfinished';
    await this.#attempt('the nodes afterwards', async () => {
      if (!completed) return;
      const expected = { to: scenario.to, finalized: end === 'finalized' };
      this.#violations.push(...(await checkAfterwards(cluster, before, expected)));
    });
    await this.#attempt('the ledger', async () => {
      const back = await readBack(writer.ledger, {
        endpoint: cluster.endpoint(),
        nodes,
        toleranceMs: TTL_TOLERANCE_MS + 1000,
      });
      this.#acknowledged += back.acknowledged;
      this.#lost.push(...back.lost);
      this.#violate('diverged replica', back.diverged);
      if (completed) this.#violate('expiry off', back.expiries);
    });
    this.#violations.push(...violationsIn(this.recording));
    return {
      scenario,
      result: completed ? 'completed' : 'stopped',
      starts: this.#timelines.length,
      statements: this.#statements,
      acknowledged: this.#acknowledged,
      lost: this.#lost,
      violations: this.#violations,
      problems: this.#problems,
      faults: { told: this.#faults.told, left: await this.#faults.missed() },
    };
  }

  /** One start of the upgrade, watched to its end. */
  async #start(): Promise<End> {
    const { stage, scenario, cluster } = this;
    const before = await readServers(cluster);
    const operation = await patiently(() => stage.start(NAME, scenario.to));
    const timeline: TimelineEntry[] = [];
    this.#timelines.push(timeline);
    const status = await this.#watch(operation, timeline);
    const { result, statement = '', artefacts } = status;
    this.histories.push(await operation.histories().catch(String));
    await this.#faults.over();
    await this.#readLedger(artefacts);
    if (result === 'completed') return 'finalized';
    this.#statements.push(statement);
    const now = await readServers(cluster);
    this.#violate(
      'untrue statement',
      untruths(statement, before, now).map((what) => `${what}: ${statement}`),
    );
    // Another start would be refused, and the nodes are looked at as those of a completed one.
    if (statement.includes(NOTHING_LEFT)) return 'ended after the last node';
    await this.#attempt('the cluster before the next start', async () => {
      await this.#attend();
    });
    return 'unfinished';
  }

  async #watch(operation: Operation, timeline: TimelineEntry[]): Promise<OperationStatus> {
    let quietSince = Date.now();
    let abandoned = false;
    let last = '';
    for (;;) {
      this.signal.throwIfAborted();
      const view = await operation.read();
      timeline.splice(0, timeline.length, ...view.timeline);
      this.#faults.seen(operation, this.#timelines);
      if (view.status.result !== undefined) return view.status;
      const now = JSON.stringify(view.timeline.at(-1));
      if (now !== last || this.#faults.underWay) [last, quietSince] = [now, Date.now()];
      if (Date.now() - quietSince > PATIENCE_MS && !abandoned) {
        abandoned = true;
        const { phase, reason, waiting } = view.status;
        this.#problems.push(
          `stood still for ${PATIENCE_MS / 1000} s: ${JSON.stringify({ phase, reason, waiting, last })}`,
        );
        await operation.tell('abort', { by: 'olu', reason: 'it stands still' });
      }
      if (Date.now() - quietSince > 2 * PATIENCE_MS) throw new Error(`not even an abort ended it: ${last}`);
      await sleep(40);
    }
  }

  /** What a person does before the next start: sees that every node runs, and that the cluster is well. */
  async #attend(): Promise<void> {
    const { cluster } = this;
    for (const node of cluster.nodes) await cluster.start(node);
    await until('every node is reached and sees cluster_state:ok', async () => {
      const states = await readNodes(cluster);
      return states.every(({ clusterState }) => clusterState === 'ok');
    });
  }

  /** The product's own. */
  async #readLedger(artefacts: string): Promise<void> {
    const text = await readFile(join(artefacts, 'ledger.json'), 'utf8').catch(() => undefined);
    if (text === undefined) return;
    const own = JSON.parse(text) as LedgerResult;
    this.#acknowledged += own.acknowledged;
    this.#lost.push(...lostByUpgrade(own));
  }

  #violate(invariant: string, whats: readonly string[]): void {
    const at = new Date().toISOString();
    for (const what of whats.slice(0, 5)) this.#violations.push({ invariant, at, node: '', what });
  }

  /** What can't even be looked at is a problem of its own, and hides nothing else. */
  async #attempt(what: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** Temporal may be away. */
async function patiently<T>(act: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;)
    try {
      return await act();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(200);
    }
}
