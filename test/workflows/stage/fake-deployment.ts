import { leftToUpgrade, stopsLeft } from '../../../model/compatibility/upgrade-path.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancellationSignal, heartbeat } from '@temporalio/activity';
import { parseDeployment } from '../../../model/deployment-file.js';
import type { Deployment } from '../../../model/deployment.js';
import type { LedgerResult, VerifyResult } from '../../../model/evidence.js';
import { RolloutError } from '../../../model/failures.js';
import { isNews } from '../../../model/gates/looks.js';
import type { NodeView, ShardView, TopologyView } from '../../../model/topology.js';
import { plannedHooks, type HookCall, type HookEnd } from '../../../model/hooks.js';
import type { CheckResult } from '../../../model/checks.js';
import type { Measurement } from '../../../model/validation/measurement.js';
import { pass, type Verdict } from '../../../model/verdict.js';
import type { NotRepresentable } from '../../../model/follow-state.js';
import type { StandbySeen } from '../../../model/gates/observation.js';
import type {
  Activities,
  Assessment,
  ClusterNow,
  GateResult,
  NodePlace,
  ShardNow,
  ShardRestore,
  StandbyNow,
} from '../../../model/work.js';

const OLD = '5.0.6';
const NEW = '8.0.6';
const ROLES = '{ engineering: [ana, abe], operations: [ben, bea], product: [cleo] }';
const newest: Readonly<Record<string, string>> = { '7.0': '7.0.15', '7.2': '7.2.4', '8.0': NEW };

interface FakeNode {
  address: string;
  release: string;
  primary: boolean;
}

export interface FakeOptions {
  shards?: number;
  /** Lines below `policy:`, without indent. */
  policy?: string;
  /** In YAML. */
  roles?: string;
  /** In YAML. */
  hooks?: string;
  checks?: string;
  searchable?: boolean;
}

/**
 * A deployment without servers: the activities of one, each doing at once what the real one does in the end. Tests make
 * any of them fail, hang until released, or answer otherwise; whether the real ones do what they say is tested with them.
 */
export class FakeDeployment implements Activities {
  readonly deployment: Deployment;
  /** What was done, in order: `isolate 10.0.1.1:6379`. Looking at gates and topology is not doing. */
  readonly done: string[] = [];
  /** How often each was asked for, looks at gates and topology as well: every step that a test may hold. */
  readonly begun = new Map<string, number>();
  /** Gates that don't pass: by `gate`, or `gate shard` for one shard. */
  readonly verdicts = new Map<string, Verdict>();
  /** Does a look at gates that don't pass take the patience that it is given? Of skipped time it can't. */
  patient = true;
  /** Called before each look, for verdicts that change. */
  onLook: ((asked: { shard?: string; gates: string[] }) => void) | undefined;
  /** Replicas that have lost their link. */
  readonly unlinked = new Set<string>();
  /** Members that don't answer. */
  readonly away = new Set<string>();
  /** By shard, as the registry has them. */
  readonly standbys = new Map<string, StandbyNow>();
  /** Shards whose primary's stream is being given to the standby at this moment. */
  readonly following = new Set<string>();
  /** What the standby of a shard can't hold. */
  readonly notRepresentable = new Map<string, NotRepresentable[]>();
  /** Shards that the newest complete backup has, and when it was taken. */
  backedUp: { shards: string[]; at: string } | undefined;
  /** Why a shard's standby is of no use any more. */
  readonly lost = new Map<string, string>();
  /** Restores that were begun and not ended. */
  readonly unfinished: ShardRestore[] = [];
  /** What hooks were told, and those that fail. */
  readonly hooked: HookCall[] = [];
  readonly failingHooks = new Set<string>();
  /** How often it was put on the audit trail. */
  sealed = 0;
  ledger: LedgerResult | undefined;
  /** Keys that no comparison could decide on. */
  unsettled = 0;
  readonly #shards: FakeNode[][];
  readonly #failures = new Map<string, RolloutError>();
  readonly #holds = new Map<string, Promise<void>>();
  readonly #isolated = new Set<string>();
  readonly #searchable: boolean;

  constructor(
    name: string,
    { shards = 1, policy = '', roles = ROLES, hooks = '[]', checks = '[]', searchable = true }: FakeOptions = {},
  ) {
    this.#searchable = searchable;
    this.deployment = parseDeployment(
      `name: ${name}
topology: cluster
seeds: ["10.0.1.0:6379"]
platform: { kind: process }
backup: { directory: /backups }
hooks: ${hooks}
checks: ${checks}
policy:
  verify: all${['soak', 'canarySoak'].map((name) => (new RegExp(`^${name}:`, 'm').test(policy) ? '' : `\n  ${name}: 0s`)).join('')}
  roles: ${roles}
${policy.replace(/^(?=.)/gm, '  ')}`,
      `${name}.yaml`,
    );
    this.#shards = Array.from({ length: shards }, (_, s) =>
      [0, 1].map((n) => ({ address: `10.0.${s + 1}.${n}:6379`, release: OLD, primary: n === 0 })),
    );
  }

  /** Nodes of the shards that run the new release from the start, as an earlier operation left them. */
  already(...shards: number[]): this {
    for (const n of shards) for (const node of this.#shards[n - 1] ?? []) node.release = NEW;
    return this;
  }

  /** Somebody starts the old release at a node again, or at each. */
  turnBack(address?: string): void {
    const nodes = address === undefined ? this.#shards.flat() : [this.#node(address)];
    for (const node of nodes) node.release = OLD;
  }

  /** Somebody adds a replica of the old release to a shard. */
  addReplica(shard: string, address: string): void {
    this.#nodesOf(shard).push({ address, release: OLD, primary: false });
  }

  /** Makes an act on an address or a shard fail: `swapVersion 10.0.1.1:6379`. */
  fail(act: string, error: RolloutError): void {
    this.#failures.set(act, error);
  }

  /** It fails no more. */
  mend(act: string): void {
    this.#failures.delete(act);
  }

  /** Makes an act take until the returned function is called. */
  hold(act: string): () => void {
    let release = (): void => undefined;
    this.#holds.set(act, new Promise((resolve) => (release = resolve)));
    return release;
  }

  releases(): string[] {
    return this.#shards.flat().map((node) => node.release);
  }

  /** Nodes that are kept from being promoted: none, once an operation has ended well. */
  isolated(): string[] {
    return [...this.#isolated];
  }

  primaries(): string[] {
    return this.#shards.flat().flatMap((node) => (node.primary ? [node.address] : []));
  }

  assess = async (input: Parameters<Activities['assess']>[0]): Promise<Assessment> => {
    const { operation, shard, to: target, via = [] } = input;
    await this.#meet(`assess ${shard ?? ''}`.trim());
    const topology = this.#topology();
    const shards = topology.shards.filter((it) => shard === undefined || it.name === shard);
    const way = [...via, target].map((stop) => newest[stop] ?? stop);
    const nodes = this.releases().map((release) => ({ release, pending: false }));
    const [to = NEW] = stopsLeft(nodes, way);
    const from = leftToUpgrade(this.releases(), to)[0] ?? to;
    const { name, policy } = this.deployment;
    return {
      name,
      policy,
      from,
      to,
      way,
      topology: { ...topology, shards },
      facts: { nodes: {} },
      searchable: this.#searchable,
      pending: this.#pendingIn(shards),
      ...(this.away.size === 0 ? {} : { away: [...this.away] }),
      artefacts: `/state/${operation}`,
      ...(this.deployment.checks.length > 0 ? { checks: this.deployment.checks.map((check) => check.name) } : {}),
      ...(this.deployment.hooks.length > 0 ? { hooks: plannedHooks(this.deployment.hooks) } : {}),
    };
  };

  readCluster = async (): Promise<ClusterNow> => {
    await this.#meet('readCluster');
    return { topology: this.#topology() };
  };

  readShard = async ({ shard: name }: { shard: string }): Promise<ShardNow> => {
    await this.#meet(`readShard ${name}`);
    return this.#shardNow(name);
  };

  checkGates = async (input: Parameters<Activities['checkGates']>[0]): Promise<GateResult[]> => {
    await this.#meet(`checkGates ${input.shard ?? ''}`.trim());
    this.onLook?.(input);
    const names = [...input.gates, ...(input.handover === undefined ? [] : ['handover'])];
    for (const deadline = Date.now() + input.patienceMs; ;) {
      const results = names.map((gate) => ({
        gate,
        verdict: this.verdicts.get(`${gate} ${input.shard ?? ''}`) ?? this.verdicts.get(gate) ?? pass(),
        ...this.#lostAt(gate, input),
      }));
      if (isNews(results, input) || !this.patient || Date.now() > deadline) return results;
      heartbeat();
      await sleep(50, undefined, { signal: cancellationSignal() });
    }
  };

  prepareShard = async ({ nodes }: { nodes: string[] }): Promise<NodePlace[]> => {
    await this.#meet(`prepareShard ${nodes.join(' ')}`);
    return nodes.map((address) => place(this.#node(address)));
  };
  putBackShard = ({ places }: { places: NodePlace[] }): Promise<void> =>
    this.#do(`putBackShard ${places[0]?.address ?? ''}`);

  isolate = async ({ place: { address } }: { place: NodePlace }) => {
    await this.#do(`isolate ${address}`);
    this.#isolated.add(address);
    return { baseline: { runId: 'r', full: 0, partial: 0 }, readers: 0 };
  };
  snapshot = async ({ place: { address } }: { place: NodePlace }) => {
    await this.#do(`snapshot ${address}`);
    return { bytes: 1000, taken: true };
  };
  swapVersion = async ({ place: { address }, to }: { place: NodePlace; to: string }) => {
    await this.#do(`swapVersion ${address}`);
    this.#node(address).release = to;
    return { release: to, notes: [] };
  };
  rejoin = async ({ place: { address }, shard }: { place: NodePlace; shard: string }) => {
    await this.#do(`rejoin ${address}`);
    return { node: address, shard, kind: 'partial' as const, ms: 1 };
  };
  verifyNode = async (input: { place: NodePlace; primary: string; shard: string }): Promise<VerifyResult> => {
    const { address } = input.place;
    await this.#do(`verifyNode ${address}`);
    return this.#compared({ shard: input.shard, primary: input.primary, replica: address });
  };
  release = async ({ place: { address } }: { place: NodePlace }) => {
    await this.#do(`release ${address}`);
    this.#isolated.delete(address);
    return [];
  };
  revert = async ({ place: { address, release } }: { place: NodePlace }) => {
    await this.#do(`revert ${address}`);
    this.#node(address).release = release;
    this.#isolated.delete(address);
    return { release };
  };
  bringBack = async ({ nodes }: { nodes: string[] }) => {
    await this.#do(`bringBack ${nodes.join(' ')}`);
    return nodes.map((address) => ({ address, problem: 'it is not there' }));
  };
  handOver = async ({ shard, from, to }: { shard: string; from: string; to: string }) => {
    await this.#do(`handOver ${shard}`);
    this.#node(from).primary = false;
    this.#node(to).primary = true;
    return { shard, from, to, mode: 'safe' as const, ms: 1, at: new Date().toISOString() };
  };

  addStandby = async ({ shard }: { shard: string }) => {
    await this.#do(`addStandby ${shard}`);
    const address = `10.1.${shard.slice('shard-'.length)}.0:6379`;
    const standby = this.standbys.get(shard) ?? { shard, address, state: 'syncing', release: OLD };
    this.standbys.set(shard, standby);
    return { address, release: OLD, bytes: 1000 };
  };
  freezeStandby = async ({ shard }: { shard: string }) => {
    await this.#do(`freezeStandby ${shard}`);
    const standby = this.standbys.get(shard);
    if (!standby) throw new RolloutError('StandbyLost', `${shard} has no standby`);
    this.standbys.set(shard, { ...standby, state: standby.state === 'syncing' ? 'frozen' : standby.state });
    return { address: standby.address, replid: 'a'.repeat(40), offset: 1000 };
  };
  removeStandby = async ({ shard }: { shard: string }): Promise<void> => {
    await this.#do(`removeStandby ${shard}`);
    const { address } = this.standbys.get(shard) ?? {};
    const nodes = this.#nodesOf(shard);
    const at = nodes.findIndex((node) => node.address === address);
    if (nodes[at]?.primary) throw new RolloutError('Stopped', `${address} serves ${shard}`);
    if (at >= 0) nodes.splice(at, 1);
    this.standbys.delete(shard);
  };
  readStandbys = async () => {
    await this.#meet('readStandbys');
    return [...this.standbys.values()];
  };
  seeStandbys = async (): Promise<StandbySeen[]> => {
    await this.#meet('seeStandbys');
    return [...this.standbys.values()].map((it) => ({
      ...it,
      state: it.state as 'frozen',
      answers: true,
      ...this.#follow(it),
    }));
  };

  /** Until it is told to end: as the probe it is held by nobody, and no step of anything. */
  follow = async ({ shard }: { shard: string }): Promise<void> => {
    const failure = this.#failures.get(`follow ${shard}`);
    if (failure) throw failure;
    const signal = cancellationSignal();
    this.following.add(shard);
    try {
      while (!signal.aborted && this.standbys.get(shard)?.state === 'frozen') {
        heartbeat();
        await sleep(100, undefined, { signal }).catch(() => undefined);
      }
      signal.throwIfAborted();
    } finally {
      this.following.delete(shard);
    }
  };

  assessFallback = async ({ operation, shards: names }: Parameters<Activities['assessFallback']>[0]) => {
    await this.#meet('assessFallback');
    const topology = this.#topology();
    const { name, policy } = this.deployment;
    const shards = topology.shards.filter((it) => names.length === 0 || names.includes(it.name));
    const { at = '', shards: backedUp = [] } = this.backedUp ?? {};
    return {
      ...{ name, policy, from: this.releases().includes(NEW) ? NEW : OLD, to: OLD, way: [OLD], facts: { nodes: {} } },
      ...{ topology: { ...topology, shards }, pending: this.#pendingIn(shards), searchable: this.#searchable },
      ...{ artefacts: `/state/${operation}`, standbys: this.#standbysNow() },
      backups: backedUp.map((shard) => ({
        ...{ shard, node: this.#nodesOf(shard)[0]?.address ?? '', at, file: `/backups/${shard}.rdb`, bytes: 1000 },
        ...{ keys: 10, sha256: 'a'.repeat(64), replid: 'b'.repeat(40), offset: 1, streamBytes: 999 },
      })),
      ...(this.away.size === 0 ? {} : { away: [...this.away], awayIn: this.#awayIn(names) }),
      ...(this.unfinished.length === 0 ? {} : { unfinished: [...this.unfinished] }),
    };
  };
  restoreShard = async (input: Parameters<Activities['restoreShard']>[0]) => {
    const { shard, primary, to, backup } = input;
    if (!this.unfinished.some((it) => it.shard === shard)) this.unfinished.push({ shard, primary, to, backup });
    await this.#do(`restoreShard ${shard}`);
    const node = this.#node(primary);
    if (!node.primary) throw new RolloutError('Stopped', `${primary} does not serve ${shard}`);
    const replicas = this.#nodesOf(shard)
      .filter((it) => it !== node)
      .map(({ address }) => ({
        ...{ node: address, shard, kind: 'full' as const, ms: 1 },
        verified: this.#compared({ shard, primary, replica: address }),
      }));
    for (const it of this.#nodesOf(shard)) Object.assign(it, { release: to });
    this.unfinished.splice(0, this.unfinished.length, ...this.unfinished.filter((it) => it.shard !== shard));
    const until = new Date().toISOString();
    return {
      ...{ shard, node: primary, release: to, backup, awayMs: 900, replicas },
      lossWindow: { from: backup.at, until, ms: Date.parse(until) - Date.parse(backup.at), streamBytes: 1234 },
      keptAside: { node: primary, at: `/nodes/${primary}/.rollout/given-up`, keys: 12, bytes: 1200, offset: 1235 },
      verified: { keys: 10, expired: 0, compared: 10, different: 0 },
    };
  };
  lookBack = async ({ shard }: { shard: string }) => {
    await this.#meet(`lookBack ${shard}`);
    const standby = this.#standbysNow().find((it) => it.shard === shard);
    const away = this.#awayIn([shard]).map(({ address }) => address);
    return { ...this.#shardNow(shard), ...(standby ? { standby } : {}), ...(away.length > 0 ? { away } : {}) };
  };
  cutOver = async ({ shard, primary, standby }: { shard: string; primary: string; standby: string }) => {
    await this.#do(`cutOver ${shard}`);
    const found = this.standbys.get(shard);
    if (found?.address !== standby) throw new RolloutError('Stopped', `the standby of ${shard} is not ${standby}`);
    if (!this.following.has(shard)) throw new RolloutError('HandoverFailed', `nothing follows for ${standby}`);
    if (this.away.has(primary)) throw new RolloutError('HandoverFailed', `${primary} does not answer`);
    this.standbys.set(shard, { ...found, state: 'serving' });
    this.#node(primary).primary = false;
    this.#nodesOf(shard).push({ address: standby, release: found.release, primary: true });
    return {
      ...{ shard, from: primary, to: standby, at: new Date().toISOString(), gapMs: 30, drainedMs: 2 },
      ...{ offset: 2000, already: false },
    };
  };
  returnNode = async (input: { shard: string; node: string; primary: string; to: string }) => {
    await this.#do(`returnNode ${input.node}`);
    const node = this.#node(input.node);
    const primary = this.#nodesOf(input.shard).find((it) => it.primary);
    if (node.primary || primary?.release !== input.to)
      throw new RolloutError('Stopped', `${input.node} would have to follow ${primary?.release}`);
    node.release = input.to;
    this.away.delete(input.node);
    this.#isolated.delete(input.node);
    const verified = this.#compared({ shard: input.shard, primary: primary.address, replica: input.node });
    return { node: input.node, shard: input.shard, kind: 'full' as const, ms: 1, release: input.to, verified };
  };

  backUpShard = async ({ shard, primary }: { shard: string; primary: string }) => {
    await this.#do(`backUpShard ${shard}`);
    return {
      ...{ shard, node: primary, file: `/backups/${shard}.rdb`, bytes: 1000, keys: 10, sha256: 'a'.repeat(64) },
      ...{ rdbVersion: 9, replid: 'b'.repeat(40), offset: 1, at: new Date().toISOString() },
    };
  };
  completeBackup = async ({ shards }: { shards: string[] }): Promise<void> => {
    await this.#do(`completeBackup ${shards.join(' ')}`);
    this.backedUp = { shards, at: new Date().toISOString() };
  };
  compareReplica = async ({ shard, primary, replica }: { shard: string; primary: string; replica: string }) => {
    await this.#do(`compareReplica ${replica} ${primary}`);
    return this.#compared({ shard, primary, replica });
  };
  runProbe = (): Promise<void> => this.#do('runProbe');
  readLedger = async (): Promise<LedgerResult | undefined> => {
    await this.#meet('readLedger');
    return this.ledger;
  };
  writeReport = async (): Promise<{ file: string }> => {
    await this.#meet('writeReport');
    return { file: '/state/report.html' };
  };

  /** Each measure takes the next of these, the last again and again; by default all are alike. */
  measurements: Partial<Measurement>[] = [{}];
  /** Checks of the application that fail. */
  readonly failingChecks = new Set<string>();
  measure = async (): Promise<Measurement> => {
    await this.#meet('measure');
    const [next = {}] = this.measurements.length > 1 ? this.measurements.splice(0, 1) : this.measurements;
    const now = new Date().toISOString();
    return {
      ...{ from: now, until: now, ms: 1000, primaries: 1, operationsPerSecond: 1000, errorRate: 0, hitRate: 0.9 },
      ...{
        memoryBytes: 1000,
        keys: 10,
        cores: 0.1,
        commands: { get: { calls: 1000, usecPerCall: 200 } },
        notes: [],
        ...next,
      },
    };
  };
  checkApplication = async ({ check }: { check: string }): Promise<CheckResult> => {
    await this.#meet(`checkApplication ${check}`);
    return this.failingChecks.has(check)
      ? { check, result: 'failed', tookMs: 1, found: 'exit code 1: 3 carts broken' }
      : { check, result: 'passed', tookMs: 1, found: 'fine' };
  };

  runHook = async ({ call }: { call: HookCall }): Promise<HookEnd> => {
    const what = `runHook ${call.hook} ${call.point}`;
    await this.#meet(what);
    this.hooked.push(call);
    return this.failingHooks.has(call.hook)
      ? { result: 'failed', found: 'exit code 1: it would not', tookMs: 1 }
      : { result: 'passed', found: 'done', tookMs: 1 };
  };

  /** Beside everything else: no step of anything. */
  sealAudit = () => {
    const failure = this.#failures.get('sealAudit');
    return failure ? Promise.reject(failure) : Promise.resolve({ n: ++this.sealed, hash: 'a'.repeat(64) });
  };

  /** Its primary dies, and the other node takes over by itself. */
  failsOver(shard: string): string {
    const [dead, heir] = [...this.#nodesOf(shard)].sort((a, b) => Number(b.primary) - Number(a.primary));
    if (!dead || !heir) throw new RolloutError('BadInput', `${shard} has nobody to take over`);
    this.away.add(dead.address);
    Object.assign(dead, { primary: false });
    Object.assign(heir, { primary: true });
    return dead.address;
  }

  #standbysNow = (): StandbyNow[] =>
    [...this.standbys.values()].map((it) => {
      const lost = this.lost.get(it.shard);
      return { ...it, ...(lost === undefined ? {} : { lost }) };
    });

  #awayIn = (names: readonly string[]): { shard: string; address: string }[] =>
    this.#shards.flatMap((nodes, s) => {
      const shard = `shard-${s + 1}`;
      const meant = names.length === 0 || names.includes(shard);
      return nodes.flatMap(({ address }) => (meant && this.away.has(address) ? [{ shard, address }] : []));
    });

  #lostAt(gate: string, { shard = '', excuseDown }: { shard?: string; excuseDown?: boolean }): { lost?: string } {
    const lost = this.lost.get(shard);
    return gate === 'standby' && excuseDown && lost !== undefined ? { lost } : {};
  }

  #compared(what: Pick<VerifyResult, 'shard' | 'primary' | 'replica'>): VerifyResult {
    return {
      ...{ ...what, mode: 'all', keys: 10, bytes: 1000, different: 0, examples: [], ttlDriftMs: 0, durationMs: 1 },
      ...(this.unsettled === 0 ? {} : { unsettled: this.unsettled }),
    };
  }

  async #do(act: string): Promise<void> {
    await this.#meet(act);
    this.done.push(act);
  }

  async #meet(act: string): Promise<void> {
    this.begun.set(act, (this.begun.get(act) ?? 0) + 1);
    const beats = setInterval(() => heartbeat(), 2000);
    await this.#holds.get(act);
    clearInterval(beats);
    const error = this.#failures.get(act);
    if (error) throw error;
  }

  #pendingIn(shards: readonly ShardView[]): string[] {
    const members = shards.flatMap(({ primary, replicas }) => [primary, ...replicas]);
    return members.flatMap(({ address }) => (this.#isolated.has(address) ? [address] : []));
  }

  #shardNow(name: string): ShardNow {
    const shard = this.#topology().shards.find((it) => it.name === name);
    if (!shard) throw new RolloutError('Unreachable', `there is no ${name}`);
    return { shard, pending: this.#pendingIn([shard]) };
  }

  #nodesOf = (shard: string): FakeNode[] => this.#shards[Number(shard.slice('shard-'.length)) - 1] ?? [];

  #follow({ shard, address }: StandbyNow): Pick<StandbySeen, 'follow'> {
    if (!this.following.has(shard)) return {};
    const notRepresentable = this.notRepresentable.get(shard) ?? [];
    return {
      follow: {
        ...{ shard, at: Date.now(), ageMs: 10, phase: 'following', primary: '', standby: address, notRepresentable },
        ...{ lagBytes: 100, lagMs: 5, lagMsMax: 9, commands: 10, rewritten: 1, recopied: 0, dirty: 0 },
      },
    };
  }

  #node(address: string): FakeNode {
    const node = this.#shards.flat().find((it) => it.address === address);
    if (!node) throw new RolloutError('BadInput', `there is no ${address}`);
    return node;
  }

  #topology(): TopologyView {
    const shards = this.#shards.map((nodes, s): ShardView => {
      const primary = nodes.find((node) => node.primary);
      if (!primary) throw new RolloutError('Degraded', 'a shard without a primary');
      const width = Math.floor(16384 / this.#shards.length);
      return {
        name: `shard-${s + 1}`,
        slots: [[s * width, (s + 1) * width - 1]],
        primary: view(primary),
        replicas: nodes
          .filter((node) => !node.primary && !this.away.has(node.address))
          .map((node) => view(node, primary.address, this.unlinked.has(node.address) ? 'down' : 'up')),
      };
    });
    return { shards, disagreements: [], nodeTimeoutMs: 5000 };
  }
}

function view({ address, release }: FakeNode, primary?: string, link: 'up' | 'down' = 'up'): NodeView {
  return {
    ...{ id: address.padEnd(40, '0'), address, release, role: primary === undefined ? 'primary' : 'replica' },
    ...(primary === undefined ? {} : { replication: { primary, link, offset: 1000, loading: false, syncing: false } }),
    ...{ replid: 'a'.repeat(40), offset: 1000, backlogBytes: 64 * 1024 ** 2, usedMemoryBytes: 1000 },
    ...{ maxMemoryBytes: 0, keys: 10, uptimeSeconds: 1000, runId: address },
  };
}

const place = ({ address, release }: FakeNode): NodePlace => ({
  ...{ address, release, home: `/nodes/${address}`, pending: false },
  configurationFile: `/nodes/${address}/redis.conf`,
  datasetFile: `/nodes/${address}/dump.rdb`,
  clusterFile: `/nodes/${address}/nodes.conf`,
});
