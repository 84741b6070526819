import { leftToUpgrade, stopsLeft } from '../../../model/compatibility/upgrade-path.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancellationSignal, heartbeat } from '@temporalio/activity';
import type { LedgerResult, VerifyResult } from '../../../model/evidence.js';
import { RolloutError } from '../../../model/failures.js';
import { isNews } from '../../../model/gates/looks.js';
import { plannedHooks, type HookCall, type HookEnd } from '../../../model/hooks.js';
import type { CheckResult } from '../../../model/checks.js';
import type { Measurement } from '../../../model/validation/measurement.js';
import { pass } from '../../../model/verdict.js';
import type { StandbySeen } from '../../../model/gates/observation.js';
import type { Activities, Assessment, ClusterNow, GateResult, NodePlace, ShardNow } from '../../../model/work.js';
import { FakeNodes, NEW, OLD, type FakeNode } from './fake-nodes.js';
export type { FakeOptions } from './fake-nodes.js';

const newest: Readonly<Record<string, string>> = { '7.0': '7.0.15', '7.2': '7.2.4', '8.0': NEW };

/**
 * A deployment without servers: the activities of one, each doing at once what the real one does in the end. Tests make
 * any of them fail, hang until released, or answer otherwise; whether the real ones do what they say is tested with them.
 */
export class FakeDeployment extends FakeNodes implements Activities {
  assess = async (input: Parameters<Activities['assess']>[0]): Promise<Assessment> => {
    const { operation, shard, to: target, via = [] } = input;
    await this.meet(`assess ${shard ?? ''}`.trim());
    const topology = this.topology();
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
      searchable: this.searchable,
      pending: this.pendingIn(shards),
      ...(this.away.size === 0 ? {} : { away: [...this.away] }),
      artefacts: `/state/${operation}`,
      ...(this.deployment.checks.length > 0 ? { checks: this.deployment.checks.map((check) => check.name) } : {}),
      ...(this.deployment.hooks.length > 0 ? { hooks: plannedHooks(this.deployment.hooks) } : {}),
    };
  };

  readCluster = async (): Promise<ClusterNow> => {
    await this.meet('readCluster');
    return { topology: this.topology() };
  };

  readShard = async ({ shard: name }: { shard: string }): Promise<ShardNow> => {
    await this.meet(`readShard ${name}`);
    return this.shardNow(name);
  };

  checkGates = async (input: Parameters<Activities['checkGates']>[0]): Promise<GateResult[]> => {
    await this.meet(`checkGates ${input.shard ?? ''}`.trim());
    this.onLook?.(input);
    const names = [...input.gates, ...(input.handover === undefined ? [] : ['handover'])];
    for (const deadline = Date.now() + input.patienceMs; ;) {
      const results = names.map((gate) => ({
        gate,
        verdict: this.verdicts.get(`${gate} ${input.shard ?? ''}`) ?? this.verdicts.get(gate) ?? pass(),
        ...this.lostAt(gate, input),
      }));
      if (isNews(results, input) || !this.patient || Date.now() > deadline) return results;
      heartbeat();
      await sleep(50, undefined, { signal: cancellationSignal() });
    }
  };

  prepareShard = async ({ nodes }: { nodes: string[] }): Promise<NodePlace[]> => {
    await this.meet(`prepareShard ${nodes.join(' ')}`);
    return nodes.map((address) => place(this.node(address)));
  };
  putBackShard = ({ places }: { places: NodePlace[] }): Promise<void> =>
    this.act(`putBackShard ${places[0]?.address ?? ''}`);

  isolate = async ({ place: { address } }: { place: NodePlace }) => {
    await this.act(`isolate ${address}`);
    this.kept.add(address);
    return { baseline: { runId: 'r', full: 0, partial: 0 }, readers: 0 };
  };
  snapshot = async ({ place: { address } }: { place: NodePlace }) => {
    await this.act(`snapshot ${address}`);
    return { bytes: 1000, taken: true };
  };
  swapVersion = async ({ place: { address }, to }: { place: NodePlace; to: string }) => {
    await this.act(`swapVersion ${address}`);
    this.node(address).release = to;
    return { release: to, notes: [] };
  };
  rejoin = async ({ place: { address }, shard }: { place: NodePlace; shard: string }) => {
    await this.act(`rejoin ${address}`);
    return { node: address, shard, kind: 'partial' as const, ms: 1 };
  };
  verifyNode = async (input: { place: NodePlace; primary: string; shard: string }): Promise<VerifyResult> => {
    const { address } = input.place;
    await this.act(`verifyNode ${address}`);
    return this.compared({ shard: input.shard, primary: input.primary, replica: address });
  };
  release = async ({ place: { address } }: { place: NodePlace }) => {
    await this.act(`release ${address}`);
    this.kept.delete(address);
    return [];
  };
  revert = async ({ place: { address, release } }: { place: NodePlace }) => {
    await this.act(`revert ${address}`);
    this.node(address).release = release;
    this.kept.delete(address);
    return { release };
  };
  bringBack = async ({ nodes }: { nodes: string[] }) => {
    await this.act(`bringBack ${nodes.join(' ')}`);
    return nodes.map((address) => ({ address, problem: 'it is not there' }));
  };
  handOver = async ({ shard, from, to }: { shard: string; from: string; to: string }) => {
    await this.act(`handOver ${shard}`);
    this.node(from).primary = false;
    this.node(to).primary = true;
    return { shard, from, to, mode: 'safe' as const, ms: 1, at: new Date().toISOString() };
  };

  addStandby = async ({ shard }: { shard: string }) => {
    await this.act(`addStandby ${shard}`);
    const address = `10.1.${shard.slice('shard-'.length)}.0:6379`;
    const standby = this.standbys.get(shard) ?? { shard, address, state: 'syncing', release: OLD };
    this.standbys.set(shard, standby);
    return { address, release: OLD, bytes: 1000 };
  };
  freezeStandby = async ({ shard }: { shard: string }) => {
    await this.act(`freezeStandby ${shard}`);
    const standby = this.standbys.get(shard);
    if (!standby) throw new RolloutError('StandbyLost', `${shard} has no standby`);
    this.standbys.set(shard, { ...standby, state: standby.state === 'syncing' ? 'frozen' : standby.state });
    return { address: standby.address, replid: 'a'.repeat(40), offset: 1000 };
  };
  removeStandby = async ({ shard }: { shard: string }): Promise<void> => {
    await this.act(`removeStandby ${shard}`);
    const { address } = this.standbys.get(shard) ?? {};
    const nodes = this.nodesOf(shard);
    const at = nodes.findIndex((node) => node.address === address);
    if (nodes[at]?.primary) throw new RolloutError('Stopped', `${address} serves ${shard}`);
    if (at >= 0) nodes.splice(at, 1);
    this.standbys.delete(shard);
  };
  readStandbys = async () => {
    await this.meet('readStandbys');
    return [...this.standbys.values()];
  };
  seeStandbys = async (): Promise<StandbySeen[]> => {
    await this.meet('seeStandbys');
    return [...this.standbys.values()].map((it) => ({
      ...it,
      state: it.state as 'frozen',
      answers: true,
      ...this.followed(it),
    }));
  };

  /** Until it is told to end: as the probe it is held by nobody, and no step of anything. */
  follow = async ({ shard }: { shard: string }): Promise<void> => {
    const failure = this.failures.get(`follow ${shard}`);
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
    await this.meet('assessFallback');
    const topology = this.topology();
    const { name, policy } = this.deployment;
    const shards = topology.shards.filter((it) => names.length === 0 || names.includes(it.name));
    const { at = '', shards: backedUp = [] } = this.backedUp ?? {};
    return {
      ...{ name, policy, from: this.releases().includes(NEW) ? NEW : OLD, to: OLD, way: [OLD], facts: { nodes: {} } },
      ...{ topology: { ...topology, shards }, pending: this.pendingIn(shards), searchable: this.searchable },
      ...{ artefacts: `/state/${operation}`, standbys: this.standbysNow() },
      backups: backedUp.map((shard) => ({
        ...{ shard, node: this.nodesOf(shard)[0]?.address ?? '', at, file: `/backups/${shard}.rdb`, bytes: 1000 },
        ...{ keys: 10, sha256: 'a'.repeat(64), replid: 'b'.repeat(40), offset: 1, streamBytes: 999 },
      })),
      ...(this.away.size === 0 ? {} : { away: [...this.away], awayIn: this.awayIn(names) }),
      ...(this.unfinished.length === 0 ? {} : { unfinished: [...this.unfinished] }),
    };
  };
  restoreShard = async (input: Parameters<Activities['restoreShard']>[0]) => {
    const { shard, primary, to, backup } = input;
    if (!this.unfinished.some((it) => it.shard === shard)) this.unfinished.push({ shard, primary, to, backup });
    await this.act(`restoreShard ${shard}`);
    const node = this.node(primary);
    if (!node.primary) throw new RolloutError('Stopped', `${primary} does not serve ${shard}`);
    const replicas = this.nodesOf(shard)
      .filter((it) => it !== node)
      .map(({ address }) => ({
        ...{ node: address, shard, kind: 'full' as const, ms: 1 },
        verified: this.compared({ shard, primary, replica: address }),
      }));
    for (const it of this.nodesOf(shard)) Object.assign(it, { release: to });
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
    await this.meet(`lookBack ${shard}`);
    const standby = this.standbysNow().find((it) => it.shard === shard);
    const away = this.awayIn([shard]).map(({ address }) => address);
    return { ...this.shardNow(shard), ...(standby ? { standby } : {}), ...(away.length > 0 ? { away } : {}) };
  };
  cutOver = async ({ shard, primary, standby }: { shard: string; primary: string; standby: string }) => {
    await this.act(`cutOver ${shard}`);
    const found = this.standbys.get(shard);
    if (found?.address !== standby) throw new RolloutError('Stopped', `the standby of ${shard} is not ${standby}`);
    if (!this.following.has(shard)) throw new RolloutError('HandoverFailed', `nothing follows for ${standby}`);
    if (this.away.has(primary)) throw new RolloutError('HandoverFailed', `${primary} does not answer`);
    this.standbys.set(shard, { ...found, state: 'serving' });
    this.node(primary).primary = false;
    this.nodesOf(shard).push({ address: standby, release: found.release, primary: true });
    return {
      ...{ shard, from: primary, to: standby, at: new Date().toISOString(), gapMs: 30, drainedMs: 2 },
      ...{ offset: 2000, already: false },
    };
  };
  returnNode = async (input: { shard: string; node: string; primary: string; to: string }) => {
    await this.act(`returnNode ${input.node}`);
    const node = this.node(input.node);
    const primary = this.nodesOf(input.shard).find((it) => it.primary);
    if (node.primary || primary?.release !== input.to)
      throw new RolloutError('Stopped', `${input.node} would have to follow ${primary?.release}`);
    node.release = input.to;
    this.away.delete(input.node);
    this.kept.delete(input.node);
    const verified = this.compared({ shard: input.shard, primary: primary.address, replica: input.node });
    return { node: input.node, shard: input.shard, kind: 'full' as const, ms: 1, release: input.to, verified };
  };

  backUpShard = async ({ shard, primary }: { shard: string; primary: string }) => {
    await this.act(`backUpShard ${shard}`);
    return {
      ...{ shard, node: primary, file: `/backups/${shard}.rdb`, bytes: 1000, keys: 10, sha256: 'a'.repeat(64) },
      ...{ rdbVersion: 9, replid: 'b'.repeat(40), offset: 1, at: new Date().toISOString() },
    };
  };
  completeBackup = async ({ shards }: { shards: string[] }): Promise<void> => {
    await this.act(`completeBackup ${shards.join(' ')}`);
    this.backedUp = { shards, at: new Date().toISOString() };
  };
  compareReplica = async ({ shard, primary, replica }: { shard: string; primary: string; replica: string }) => {
    await this.act(`compareReplica ${replica} ${primary}`);
    return this.compared({ shard, primary, replica });
  };
  runProbe = (): Promise<void> => this.act('runProbe');
  readLedger = async (): Promise<LedgerResult | undefined> => {
    await this.meet('readLedger');
    return this.ledger;
  };
  writeReport = async (): Promise<{ file: string }> => {
    await this.meet('writeReport');
    return { file: '/state/report.html' };
  };

  /** Each measure takes the next of these, the last again and again; by default all are alike. */
  measurements: Partial<Measurement>[] = [{}];
  /** Checks of the application that fail. */
  readonly failingChecks = new Set<string>();
  measure = async (): Promise<Measurement> => {
    await this.meet('measure');
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
    await this.meet(`checkApplication ${check}`);
    return this.failingChecks.has(check)
      ? { check, result: 'failed', tookMs: 1, found: 'exit code 1: 3 carts broken' }
      : { check, result: 'passed', tookMs: 1, found: 'fine' };
  };

  runHook = async ({ call }: { call: HookCall }): Promise<HookEnd> => {
    const what = `runHook ${call.hook} ${call.point}`;
    await this.meet(what);
    this.hooked.push(call);
    return this.failingHooks.has(call.hook)
      ? { result: 'failed', found: 'exit code 1: it would not', tookMs: 1 }
      : { result: 'passed', found: 'done', tookMs: 1 };
  };

  /** Beside everything else: no step of anything. */
  sealAudit = () => {
    const failure = this.failures.get('sealAudit');
    return failure ? Promise.reject(failure) : Promise.resolve({ n: ++this.sealed, hash: 'a'.repeat(64) });
  };
}

const place = ({ address, release }: FakeNode): NodePlace => ({
  ...{ address, release, home: `/nodes/${address}`, pending: false },
  configurationFile: `/nodes/${address}/redis.conf`,
  datasetFile: `/nodes/${address}/dump.rdb`,
  clusterFile: `/nodes/${address}/nodes.conf`,
});
