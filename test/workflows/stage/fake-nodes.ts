import { heartbeat } from '@temporalio/activity';
import { parseDeployment } from '../../../model/deployment-file.js';
import type { Deployment } from '../../../model/deployment.js';
import type { LedgerResult, VerifyResult } from '../../../model/evidence.js';
import { RolloutError } from '../../../model/failures.js';
import type { NodeView, ShardView, TopologyView } from '../../../model/topology.js';
import type { HookCall } from '../../../model/hooks.js';
import type { Verdict } from '../../../model/verdict.js';
import type { NotRepresentable } from '../../../model/follow-state.js';
import type { StandbySeen } from '../../../model/gates/observation.js';
import type { ShardNow } from '../../../model/work.js';
import type { ShardRestore, StandbyNow } from '../../../model/fallback-work.js';

export const OLD = '5.0.6';
export const NEW = '8.0.6';
const ROLES = '{ engineering: [ana, abe], operations: [ben, bea], product: [cleo] }';

export interface FakeNode {
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

/** Nodes without servers, and what tests do to them: the state that the activities of a fake deployment work on. */
export class FakeNodes {
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
  protected readonly nodes: FakeNode[][];
  protected readonly failures = new Map<string, RolloutError>();
  protected readonly holds = new Map<string, Promise<void>>();
  protected readonly kept = new Set<string>();
  protected readonly searchable: boolean;

  constructor(
    name: string,
    { shards = 1, policy = '', roles = ROLES, hooks = '[]', checks = '[]', searchable = true }: FakeOptions = {},
  ) {
    this.searchable = searchable;
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
    this.nodes = Array.from({ length: shards }, (_, s) =>
      [0, 1].map((n) => ({ address: `10.0.${s + 1}.${n}:6379`, release: OLD, primary: n === 0 })),
    );
  }

  /** Nodes of the shards that run the new release from the start, as an earlier operation left them. */
  already(...shards: number[]): this {
    for (const n of shards) for (const node of this.nodes[n - 1] ?? []) node.release = NEW;
    return this;
  }

  /** Somebody starts the old release at a node again, or at each. */
  turnBack(address?: string): void {
    const nodes = address === undefined ? this.nodes.flat() : [this.node(address)];
    for (const node of nodes) node.release = OLD;
  }

  /** Somebody adds a replica of the old release to a shard. */
  addReplica(shard: string, address: string): void {
    this.nodesOf(shard).push({ address, release: OLD, primary: false });
  }

  /** Makes an act on an address or a shard fail: `swapVersion 10.0.1.1:6379`. */
  fail(act: string, error: RolloutError): void {
    this.failures.set(act, error);
  }

  /** It fails no more. */
  mend(act: string): void {
    this.failures.delete(act);
  }

  /** Makes an act take until the returned function is called. */
  hold(act: string): () => void {
    let release = (): void => undefined;
    this.holds.set(act, new Promise((resolve) => (release = resolve)));
    return release;
  }

  releases(): string[] {
    return this.nodes.flat().map((node) => node.release);
  }

  /** Nodes that are kept from being promoted: none, once an operation has ended well. */
  isolated(): string[] {
    return [...this.kept];
  }

  primaries(): string[] {
    return this.nodes.flat().flatMap((node) => (node.primary ? [node.address] : []));
  }
  /** Its primary dies, and the other node takes over by itself. */
  failsOver(shard: string): string {
    const [dead, heir] = [...this.nodesOf(shard)].sort((a, b) => Number(b.primary) - Number(a.primary));
    if (!dead || !heir) throw new RolloutError('BadInput', `${shard} has nobody to take over`);
    this.away.add(dead.address);
    Object.assign(dead, { primary: false });
    Object.assign(heir, { primary: true });
    return dead.address;
  }

  protected standbysNow(): StandbyNow[] {
    return [...this.standbys.values()].map((it) => {
      const lost = this.lost.get(it.shard);
      return { ...it, ...(lost === undefined ? {} : { lost }) };
    });
  }

  protected awayIn(names: readonly string[]): { shard: string; address: string }[] {
    return this.nodes.flatMap((nodes, s) => {
      const shard = `shard-${s + 1}`;
      const meant = names.length === 0 || names.includes(shard);
      return nodes.flatMap(({ address }) => (meant && this.away.has(address) ? [{ shard, address }] : []));
    });
  }

  protected lostAt(
    gate: string,
    { shard = '', excuseDown }: { shard?: string; excuseDown?: boolean },
  ): { lost?: string } {
    const lost = this.lost.get(shard);
    return gate === 'standby' && excuseDown && lost !== undefined ? { lost } : {};
  }

  protected compared(what: Pick<VerifyResult, 'shard' | 'primary' | 'replica'>): VerifyResult {
    return {
      ...{ ...what, mode: 'all', keys: 10, bytes: 1000, different: 0, examples: [], ttlDriftMs: 0, durationMs: 1 },
      ...(this.unsettled === 0 ? {} : { unsettled: this.unsettled, unsettledKeys: ['feed'] }),
    };
  }

  protected async act(act: string): Promise<void> {
    await this.meet(act);
    this.done.push(act);
  }

  protected async meet(act: string): Promise<void> {
    this.begun.set(act, (this.begun.get(act) ?? 0) + 1);
    const beats = setInterval(() => heartbeat(), 2000);
    await this.holds.get(act);
    clearInterval(beats);
    const error = this.failures.get(act);
    if (error) throw error;
  }

  protected pendingIn(shards: readonly ShardView[]): string[] {
    const members = shards.flatMap(({ primary, replicas }) => [primary, ...replicas]);
    return members.flatMap(({ address }) => (this.kept.has(address) ? [address] : []));
  }

  protected shardNow(name: string): ShardNow {
    const shard = this.topology().shards.find((it) => it.name === name);
    if (!shard) throw new RolloutError('Unreachable', `there is no ${name}`);
    return { shard, pending: this.pendingIn([shard]) };
  }

  protected nodesOf(shard: string): FakeNode[] {
    return this.nodes[Number(shard.slice('shard-'.length)) - 1] ?? [];
  }

  protected followed({ shard, address }: StandbyNow): Pick<StandbySeen, 'follow'> {
    if (!this.following.has(shard)) return {};
    const notRepresentable = this.notRepresentable.get(shard) ?? [];
    return {
      follow: {
        ...{ shard, at: Date.now(), ageMs: 10, phase: 'following', primary: '', standby: address, notRepresentable },
        ...{ lagBytes: 100, lagMs: 5, lagMsMax: 9, commands: 10, rewritten: 1, recopied: 0, dirty: 0 },
      },
    };
  }

  protected node(address: string): FakeNode {
    const node = this.nodes.flat().find((it) => it.address === address);
    if (!node) throw new RolloutError('BadInput', `there is no ${address}`);
    return node;
  }

  protected topology(): TopologyView {
    const shards = this.nodes.map((nodes, s): ShardView => {
      const primary = nodes.find((node) => node.primary);
      if (!primary) throw new RolloutError('Degraded', 'a shard without a primary');
      const width = Math.floor(16384 / this.nodes.length);
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
