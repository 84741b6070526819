import { GENESIS } from '../../model/audit/entry.js';
import { olderLine } from '../../model/compatibility/release-lines.js';
import type { BackupRecord, LedgerResult, VerifyResult } from '../../model/evidence.js';
import { RolloutError } from '../../model/failures.js';
import { evaluateGates } from '../../model/gates/evaluate.js';
import { mayHandOver } from '../../model/handover.js';
import { satisfies } from '../../model/release.js';
import { allNodes, type TopologyView } from '../../model/topology.js';
import { fail } from '../../model/verdict.js';
import type {
  Activities,
  Assessment,
  ClusterNow,
  BroughtBack,
  GateResult,
  NodePlace,
  Order,
  ShardNow,
  SyncBaseline,
} from '../../model/work.js';
import { Attempts, TO, unreachable, type AtNode } from './attempts.js';
import type { SimulatedNode, SimulatedShard } from './cluster.js';
import { baselineOf, beforeOf, compared, facts, observed, placeOf } from './seen.js';

type InShard = Order & { shard: string };

/**
 * The activities over a simulated cluster: each looks at it first and does what is still missing, as the real ones do;
 * gates and handovers are judged by the real rules. After each act every invariant is looked at.
 */
export class SimulatedDeployment extends Attempts implements Activities {
  /** Writes the report of an operation, as the worker does it, and says where; set by whoever has a client. */
  report: (workflowId: string, runId: string) => Promise<string> = () => Promise.resolve('/state/report.html');
  readonly #standbys = new Map<string, { shard: string; address: string; state: string; release: string }>();

  assess = (input: Order & { to: string; shard?: string }): Promise<Assessment> =>
    this.act('assess', input, input.shard ?? 'all', input.shard, () => {
      const topology = this.#topology(input.shard);
      const { name, policy } = this.deployment;
      const from = allNodes(topology).find(({ release }) => !satisfies(release, TO))?.release ?? TO;
      const nodes = Object.fromEntries(allNodes(topology).map(({ address }) => [address, facts]));
      return {
        ...{ name, policy, from, to: TO, way: [TO], topology, facts: { nodes }, searchable: true },
        ...{ pending: this.#pending(topology), artefacts: `/state/${input.operation}` },
      };
    });

  readCluster = (input: Order): Promise<ClusterNow> =>
    this.act('readCluster', input, 'all', undefined, () => {
      const away = this.cluster.nodes.filter(({ up }) => !up).map(({ address }) => address);
      return { topology: this.#topology(undefined), ...(away.length === 0 ? {} : { away }) };
    });

  readShard = (input: InShard): Promise<ShardNow> =>
    this.act('readShard', input, input.shard, input.shard, () => {
      const topology = this.#topology(input.shard);
      const away = this.cluster.shard(input.shard).nodes.filter(({ up }) => !up);
      const [shard] = topology.shards;
      if (!shard || away.length > 0)
        throw unreachable(`${away.map(({ address }) => address).join(', ')} of ${input.shard} can't be read`);
      return { shard, pending: this.#pending(topology) };
    });

  checkGates = (input: Parameters<Activities['checkGates']>[0]): Promise<GateResult[]> =>
    this.act(
      'checkGates',
      input,
      `${input.shard ?? 'all'} ${input.handover?.candidate ?? ''}`,
      input.shard,
      (fault) => {
        const topology = this.#topology(input.shard);
        const blocks = fault.kind === 'gate blocks' && fault.times-- > 0;
        const observation = observed(topology, blocks ? 5000 : 1);
        const results = evaluateGates(observation, this.deployment.policy, input.gates);
        if (!input.handover) return results;
        return [...results, { gate: 'handover', verdict: this.#mayHandOver(topology, input.handover.candidate) }];
      },
    );

  prepareShard = (input: Order & { nodes: string[] }): Promise<NodePlace[]> =>
    this.act('prepareShard', input, input.nodes.join(), this.#shardOf(input.nodes[0]), () =>
      input.nodes.map((address) => placeOf(this.#alive(address))),
    );

  putBackShard = (input: Order & { places: NodePlace[] }): Promise<void> =>
    this.act('putBackShard', input, input.places[0]?.address ?? '', this.#shardOf(input.places[0]?.address), () => {
      for (const { address } of input.places) {
        const node = this.cluster.node(address);
        const { before } = node;
        if (!before) continue;
        if (!before.released) {
          if (!node.up || node.release !== before.release || this.#followsNewer(node)) continue;
          node.noFailover = false;
        }
        delete node.before;
        delete node.kept;
      }
    });

  isolate = (input: AtNode & { primary: string }): Promise<{ baseline: SyncBaseline; readers: number }> =>
    this.atNode('isolate', input, (node) => {
      if (!node.before || node.before.released)
        node.before = { release: node.release, snapshot: false, released: false };
      node.noFailover = true;
      return { baseline: baselineOf(this.#alive(input.primary)), readers: 0 };
    });

  snapshot = (input: AtNode): Promise<{ bytes: number; taken: boolean }> =>
    this.atNode('snapshot', input, (node) => {
      const before = beforeOf(node);
      this.#mustBeUp(node);
      if (node.release === before.release && !this.#followsNewer(node)) {
        node.kept = { ...node.memory };
        before.snapshot = true;
      }
      return { bytes: 1024 ** 3, taken: before.snapshot };
    });

  swapVersion = (input: AtNode & { to: string }): Promise<{ release: string; notes: string[] }> =>
    this.atNode('swapVersion', input, (node, fault) => {
      const before = beforeOf(node);
      if (node.up && node.release === input.to) return { release: input.to, notes: [] };
      this.#end(node);
      if (fault.kind === 'does not start')
        throw new RolloutError('StartFailed', `${node.address} ended after it was started`);
      this.cluster.start(node, input.to, before.snapshot ? node.kept : undefined);
      return { release: input.to, notes: [] };
    });

  rejoin = (input: InShard & AtNode & { primary: string; baseline: SyncBaseline }) =>
    this.atNode('rejoin', input, (node, fault) => {
      const shard = this.cluster.shard(node.shard);
      if (fault.kind === 'backlog overrun' && fault.times > 0) {
        fault.times = 0;
        shard.backlogBytes = 0;
      }
      const kind = this.#rejoin(node, input.primary, input.baseline);
      shard.backlogBytes = 64 * 1024 ** 2;
      return { node: node.address, shard: shard.name, kind, ms: 100 };
    });

  verifyNode = (input: InShard & AtNode & { primary: string }): Promise<VerifyResult> =>
    this.atNode('verifyNode', input, (node, fault) => {
      this.#mustBeUp(node);
      this.#alive(input.primary);
      if (fault.kind === 'differs' || node.memory.wrong)
        throw new RolloutError('Different', `${node.address} differs from ${input.primary} in 2 of 10 keys`);
      if (node.follows !== input.primary || node.link === 'down')
        throw unreachable(`${node.address} does not follow ${input.primary}`);
      node.verified = true;
      return compared(input.shard, input.primary, node.address);
    });

  release = (input: AtNode) =>
    this.atNode('release', input, (node) => {
      const before = beforeOf(node);
      if (before.released) return [];
      this.#mustBeUp(node);
      if (this.#followsNewer(node))
        throw new RolloutError('Stopped', `${node.address} runs ${node.release} and follows a newer primary`);
      node.noFailover = false;
      before.released = true;
      return [];
    });

  // A simulated assessment tells of no node that is away.
  bringBack = ({ nodes }: { nodes: string[] }): Promise<BroughtBack[]> =>
    Promise.resolve(nodes.map((address) => ({ address, problem: 'it was not down' })));

  revert = (input: AtNode & { primary: string }): Promise<{ release: string }> =>
    this.atNode('revert', input, (node) => {
      const { before } = node;
      if (!before) return { release: input.place.release };
      const primary = this.#alive(input.primary);
      if (olderLine(before.release, primary.release))
        throw new RolloutError(
          'Stopped',
          `${primary.address} runs ${primary.release}: ${node.address} may not follow it`,
        );
      const baseline = baselineOf(primary);
      if (!node.up || node.release !== before.release) {
        this.#end(node);
        this.cluster.start(node, before.release, before.snapshot ? node.kept : undefined);
        node.swapped = false;
      }
      this.#rejoin(node, primary.address, baseline);
      node.noFailover = false;
      before.released = true;
      return { release: before.release };
    });

  // Standbys are outside of what is simulated: they are there and frozen when they are asked for.
  addStandby = ({ shard }: InShard) => {
    const { release } = this.#standby(shard, 'syncing');
    return Promise.resolve({ address: `standby of ${shard}`, release, bytes: 1024 ** 3 });
  };
  freezeStandby = ({ shard }: InShard) => {
    this.#standby(shard, 'frozen');
    return Promise.resolve({ address: `standby of ${shard}`, replid: 'a'.repeat(40), offset: 1000 });
  };
  removeStandby = ({ shard }: InShard): Promise<void> => {
    this.#standbys.delete(shard);
    return Promise.resolve();
  };
  readStandbys = () => Promise.resolve([...this.#standbys.values()]);
  cutOver = ({ shard }: InShard): Promise<never> => notSimulated(shard);
  returnNode = ({ shard }: InShard): Promise<never> => notSimulated(shard);
  restoreShard = ({ shard }: InShard): Promise<never> => notSimulated(shard);
  assessFallback = ({ deployment }: Order): Promise<never> => notSimulated(deployment);
  lookBack = ({ shard }: InShard): Promise<never> => notSimulated(shard);
  seeStandbys = () => Promise.resolve([]);
  follow = ({ shard }: InShard): Promise<never> => notSimulated(shard);

  handOver = (input: Parameters<Activities['handOver']>[0]) =>
    this.act('handOver', input, input.shard, input.shard, (fault) => {
      const shard = this.cluster.shard(input.shard);
      const done = { shard: input.shard, from: input.from, to: input.to, mode: 'safe' as const, ms: 60 };
      const at = new Date(0).toISOString();
      const [from, to] = [this.cluster.node(input.from), this.cluster.node(input.to)];
      if (to.up && to.role === 'primary') return { ...done, at };
      if (!from.up || from.role !== 'primary' || !to.up)
        throw new RolloutError('HandoverFailed', `${to.up ? from.address : to.address} is not there to hand over`);
      if (fault.kind === 'failover does nothing')
        throw new RolloutError('HandoverFailed', `${to.address} did not take the slots`);
      this.cluster.handOver(shard, to);
      return { ...done, at };
    });

  backUpShard = (input: InShard): Promise<BackupRecord> =>
    this.act('backUpShard', input, input.shard, input.shard, () => {
      const shard = this.cluster.shard(input.shard);
      const source = this.cluster.primaryOf(shard);
      if (!source) throw unreachable(`${input.shard} has no primary that can be read`);
      shard.backedUp = true;
      return {
        ...{ shard: shard.name, node: source.address, file: `/backups/${input.operation}/${shard.name}.rdb` },
        ...{ bytes: 1024 ** 3, keys: 1_000_000, sha256: 'a'.repeat(64), rdbVersion: 9, replid: 'b'.repeat(40) },
        ...{ offset: source.memory.offset, at: new Date(0).toISOString() },
      };
    });
  completeBackup = (input: Order & { shards: string[] }): Promise<void> =>
    this.act('completeBackup', input, 'all', undefined, () => undefined);

  compareReplica = (input: InShard & { primary: string; replica: string }): Promise<VerifyResult> =>
    this.act('compareReplica', input, input.replica, input.shard, () => {
      if (this.#alive(input.replica).memory.wrong)
        throw new RolloutError('Different', `${input.replica} differs from ${input.primary}`);
      return compared(input.shard, input.primary, input.replica);
    });

  runProbe = (): Promise<void> => Promise.resolve();
  readLedger = (): Promise<LedgerResult> => {
    const { lost } = this.cluster;
    return Promise.resolve({ acknowledged: 1_000_000, found: 1_000_000 - lost, lost, examples: [], byType: {} });
  };
  writeReport = async ({ workflowId, runId }: { workflowId: string; runId: string }): Promise<{ file: string }> => ({
    file: await this.report(workflowId, runId),
  });

  measure = ({ deployment }: Order): Promise<never> => notSimulated(deployment);
  checkApplication = ({ deployment }: Order): Promise<never> => notSimulated(deployment);
  // No deployment has any.
  runHook = ({ call }: { call: { hook: string } }): Promise<never> => notSimulated(call.hook);
  // No store is simulated.
  sealAudit = () => Promise.resolve(GENESIS);

  /** Somebody may have made it primary since the shard was looked at: then it is not ended. */
  #end(node: SimulatedNode): void {
    if (node.up && node.role === 'primary')
      throw new RolloutError('Stopped', `${node.address} is primary: a primary is handed over before it is stopped`);
    this.cluster.stop(node);
  }

  #rejoin(node: SimulatedNode, primary: string, baseline: SyncBaseline): 'partial' | 'full' {
    const shard = this.cluster.shard(node.shard);
    const upstream = this.#alive(primary);
    for (let looks = 0; looks < 600 && (node.link === 'down' || node.busyMs > 0); looks++) {
      this.#mustBeUp(node);
      this.cluster.pass(shard, 100);
    }
    if (node.follows !== primary || node.link === 'down')
      throw new RolloutError(
        'NotCaughtUp',
        `${node.address} made no progress for 60 s: link down to ${node.follows ?? '?'}`,
      );
    const now = baselineOf(upstream);
    return now.runId === baseline.runId && now.full === baseline.full && now.partial > baseline.partial
      ? 'partial'
      : 'full';
  }

  #mayHandOver(topology: TopologyView, candidate: string) {
    const shard = topology.shards.find(({ replicas }) => replicas.some(({ address }) => address === candidate));
    if (!shard) return fail(`${candidate} is no replica of any shard`, 'it replicates a primary again');
    const knows = allNodes(topology).map(({ id }) => id);
    return mayHandOver(
      {
        shard,
        primaries: [{ address: shard.primary.address, reachable: true, knows, currentEpoch: 1 }],
        verified: shard.replicas.filter(({ release }) => satisfies(release, TO)).map(({ address }) => address),
        sinceRoleChangeMs: undefined,
        nodeTimeoutMs: topology.nodeTimeoutMs,
      },
      candidate,
      this.deployment.policy,
    );
  }

  #standby(shard: string, state: string): { release: string } {
    const release = this.#standbys.get(shard)?.release ?? this.cluster.shard(shard).nodes[0]?.release ?? '';
    this.#standbys.set(shard, { shard, address: `standby of ${shard}`, state, release });
    return { release };
  }

  #topology(only: string | undefined): TopologyView {
    const topology = this.cluster.view(only);
    return only === undefined ? topology : { ...topology, disagreements: this.#awayIn(this.cluster.shard(only)) };
  }

  #awayIn = ({ nodes }: SimulatedShard): string[] =>
    nodes.filter(({ up }) => !up).map(({ address }) => `${address} can't be reached`);

  #pending = (topology: TopologyView): string[] =>
    allNodes(topology)
      .map(({ address }) => address)
      .filter((address) => this.cluster.node(address).before?.released === false);

  #followsNewer(node: SimulatedNode): boolean {
    if (node.role !== 'replica' || node.follows === undefined) return false;
    return olderLine(node.release, this.cluster.node(node.follows).release);
  }

  #shardOf = (address: string | undefined): string | undefined =>
    address === undefined ? undefined : this.cluster.node(address).shard;

  #alive(address: string): SimulatedNode {
    const node = this.cluster.node(address);
    if (!node.up) throw unreachable(`${address} can't be reached`);
    return node;
  }

  #mustBeUp(node: SimulatedNode): void {
    if (node.up) return;
    throw node.returnsAt === undefined
      ? new RolloutError('StartFailed', `${node.address} ended after it was started`)
      : unreachable(`${node.address} can't be reached`);
  }
}

/** Going back from an upgrade that has ended is outside of what is simulated. */
const notSimulated = (shard: string): Promise<never> =>
  Promise.reject(new RolloutError('Stopped', `${shard}: no fallback is simulated`));
