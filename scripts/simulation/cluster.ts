import { olderLine } from '../../model/compatibility/release-lines.js';
import type { NodeView, ShardView, TopologyView } from '../../model/topology.js';
import { invariants, isUnverified, standingViolations } from './invariants.js';
import type { Random } from './random.js';

/** What a node holds in memory or in a file: how far in which stream, and whether an older server dropped some of it. */
export interface Dataset {
  replid: string;
  offset: number;
  wrong: boolean;
}

export interface SimulatedNode {
  readonly address: string;
  readonly shard: string;
  release: string;
  up: boolean;
  role: 'primary' | 'replica';
  /** Address of its primary, as it sees it. */
  follows?: string;
  link: 'up' | 'down';
  /** Left of a load or a full sync, ms of the model's time. */
  busyMs: number;
  memory: Dataset;
  /** What it would start from. */
  file: Dataset;
  /** Kept aside by an operation. */
  kept?: Dataset;
  noFailover: boolean;
  /** It was started on another release by an operation. */
  swapped: boolean;
  /** Compared with its primary since it was started. */
  verified: boolean;
  starts: number;
  /** Counters that it has as a primary. */
  syncs: { full: number; partial: number };
  /** As it was before an operation touched it. */
  before?: { release: string; snapshot: boolean; released: boolean };
  /** Of the stream before it became primary: up to where its replicas may go on. */
  previous?: { replid: string; until: number };
  /** Brought back by its supervisor at this time of the model, ms. */
  returnsAt?: number;
}

export interface SimulatedShard {
  readonly name: string;
  readonly nodes: SimulatedNode[];
  backlogBytes: number;
  changes: number;
  backedUp: boolean;
}

/** Bytes of the stream for each ms of the model's time. */
const WRITES = 200;
const BACKLOG = 64 * 1024 ** 2;

/** The violations that an act causes are told here; the caller knows which act it is. */
export type Tell = (invariant: string, found: string) => void;

/**
 * A cluster without servers: roles, replication offsets, backlogs, votes, crashes, as the field notes have them. It
 * knows nothing of who acts on it; what must never be is looked for at every change.
 */
export class SimulatedCluster {
  readonly shards: SimulatedShard[];
  readonly nodes: readonly SimulatedNode[];
  /** Time of the model, ms. */
  now = 0;
  /** Bytes of acknowledged writes that handovers lost. */
  lost = 0;
  readonly #byAddress: ReadonlyMap<string, SimulatedNode>;

  constructor(
    size: { shards: number; replicas: number; release: string },
    readonly random: Random,
    readonly tell: Tell,
  ) {
    this.shards = Array.from({ length: size.shards }, (_, s) => {
      const name = `shard-${s + 1}`;
      const address = (n: number): string => `10.${Math.floor((s + 1) / 256)}.${(s + 1) % 256}.${n}:6379`;
      const nodes = Array.from({ length: size.replicas + 1 }, (_, n): SimulatedNode => ({
        address: address(n),
        shard: name,
        release: size.release,
        up: true,
        role: n === 0 ? 'primary' : 'replica',
        ...(n === 0 ? {} : { follows: address(0) }),
        link: 'up',
        busyMs: 0,
        memory: { replid: `${name}/0`, offset: 1000, wrong: false },
        file: { replid: `${name}/0`, offset: 1000, wrong: false },
        noFailover: false,
        swapped: false,
        verified: true,
        starts: 1,
        syncs: { full: 0, partial: 0 },
      }));
      return { name, nodes, backlogBytes: BACKLOG, changes: 0, backedUp: false };
    });
    this.nodes = this.shards.flatMap(({ nodes }) => nodes);
    this.#byAddress = new Map(this.nodes.map((node) => [node.address, node]));
  }

  node(address: string): SimulatedNode {
    const node = this.#byAddress.get(address);
    if (!node) throw new RangeError(`there is no ${address}`);
    return node;
  }

  shard(name: string): SimulatedShard {
    const shard = this.shards[Number(name.slice('shard-'.length)) - 1];
    if (!shard) throw new RangeError(`there is no ${name}`);
    return shard;
  }

  primaryOf({ nodes }: SimulatedShard): SimulatedNode | undefined {
    return nodes.find(({ up, role }) => up && role === 'primary');
  }

  /** Time passes for a shard: writes come in, replicas follow, loads and syncs go on, supervisors bring nodes back. */
  pass(shard: SimulatedShard, ms: number): void {
    this.now += ms;
    for (const node of shard.nodes)
      if (node.returnsAt !== undefined && node.returnsAt <= this.now) this.#comeBack(node);
    const primary = this.primaryOf(shard);
    if (!primary) return;
    primary.memory.offset += ms * WRITES;
    for (const node of shard.nodes) if (node.up && node.role === 'replica') this.#follow(shard, node, primary, ms);
  }

  #follow(shard: SimulatedShard, node: SimulatedNode, primary: SimulatedNode, ms: number): void {
    if (node.follows !== primary.address) [node.follows, node.link] = [primary.address, 'down'];
    if (node.busyMs > 0) {
      node.busyMs = Math.max(0, node.busyMs - ms);
      if (node.busyMs > 0) return;
    }
    if (node.link === 'down') this.#connect(shard, node, primary);
    if (node.link === 'down' || node.busyMs > 0) return;
    node.memory = { ...primary.memory, wrong: node.memory.wrong || olderLine(node.release, primary.release) };
  }

  /** Partial where its stream is the primary's or the one before, and the backlog reaches back; else a full sync. */
  #connect(shard: SimulatedShard, node: SimulatedNode, primary: SimulatedNode): void {
    const { replid, offset } = node.memory;
    const { previous } = primary;
    const sameStream = replid === primary.memory.replid || (previous?.replid === replid && offset <= previous.until);
    if (sameStream && primary.memory.offset - offset <= shard.backlogBytes) {
      primary.syncs.partial++;
      node.link = 'up';
      return;
    }
    if (olderLine(node.release, primary.release)) {
      // It empties itself, can't read what comes, and tries again for ever.
      this.tell(
        invariants.oldFullSync,
        `${node.address} (${node.release}) takes a full sync of ${primary.address} (${primary.release})`,
      );
      node.memory = { replid: '', offset: 0, wrong: true };
      return;
    }
    primary.syncs.full++;
    node.memory = { ...primary.memory };
    node.busyMs = this.random.between(100, 2000);
    node.link = 'up';
  }

  /** Ends a node's process, as an operation does it. */
  stop(node: SimulatedNode): void {
    const shard = this.shard(node.shard);
    if (node.up && node.role === 'primary')
      this.tell(invariants.stopPrimary, `${node.address} is primary of ${shard.name}`);
    if (!shard.backedUp)
      this.tell(invariants.backupFirst, `${node.address} is stopped and ${shard.name} has no backup`);
    const away = shard.nodes.filter((it) => it !== node && it.role === 'replica' && it.swapped && !it.up);
    if (node.up && away.length > 0)
      this.tell(
        invariants.oneAway,
        `${node.address} is stopped while ${away.map((it) => it.address).join(', ')} is away`,
      );
    node.up = false;
    node.link = 'down';
    delete node.returnsAt;
  }

  /** Starts a node as replica of its shard's primary, out of the election. */
  start(node: SimulatedNode, release: string, from: Dataset | undefined): void {
    if (from?.wrong)
      this.tell(invariants.oldFollower, `${node.address} is started on ${release} with what an older follower saved`);
    node.swapped = true;
    node.verified = false;
    node.noFailover = true;
    this.#run(node, release, from ?? { replid: '', offset: 0, wrong: false });
  }

  #run(node: SimulatedNode, release: string, from: Dataset): void {
    const primary = this.primaryOf(this.shard(node.shard));
    Object.assign(node, { up: true, release, link: 'down', busyMs: this.random.between(10, 200) });
    node.role = primary && primary !== node ? 'replica' : node.role;
    if (primary && primary !== node) node.follows = primary.address;
    node.memory = { ...from };
    node.file = { ...from };
    node.starts++;
    delete node.returnsAt;
  }

  /** Moves the primary role without loss, as a coordinated failover does. */
  handOver(shard: SimulatedShard, to: SimulatedNode): void {
    const from = this.primaryOf(shard);
    const unready = [
      ...(!to.up ? ['is down'] : []),
      ...(to.busyMs > 0 ? ['loads'] : []),
      ...(to.link === 'down' ? ['has no link'] : []),
      ...(isUnverified(to) ? ['was not compared'] : []),
      ...(from && olderLine(to.release, from.release) ? [`is older than ${from.address}`] : []),
      ...(to.memory.wrong ? ['has dropped writes'] : []),
    ];
    if (unready.length > 0) this.tell(invariants.promoteUnready, `${to.address} is promoted and ${unready.join(', ')}`);
    // Writes are paused and offsets equal: what the candidate had not applied by then would be lost.
    if (from && to.link === 'up' && to.busyMs === 0) to.memory = { ...from.memory, wrong: to.memory.wrong };
    this.#promote(shard, to, from);
  }

  #promote(shard: SimulatedShard, to: SimulatedNode, from: SimulatedNode | undefined): void {
    const missing = (from?.up ? from.memory.offset : to.memory.offset) - to.memory.offset;
    if (missing > 0) {
      this.lost += missing;
      this.tell(invariants.lost, `${missing} bytes of ${shard.name} that ${to.address} did not have`);
    }
    to.previous = { replid: to.memory.replid, until: to.memory.offset };
    to.memory.replid = `${shard.name}/${++shard.changes}`;
    to.role = 'primary';
    delete to.follows;
    if (from) {
      from.role = 'replica';
      from.follows = to.address;
      from.link = 'down';
    }
    this.pass(shard, 1);
  }

  /** A node dies; where it was primary, those that may are voted on. Its supervisor brings it back, if it has one. */
  crash(node: SimulatedNode, returnsAfterMs?: number): void {
    if (!node.up) return;
    const shard = this.shard(node.shard);
    // From an operation's snapshot on it saves nothing by itself: what lies there is from before the handover.
    const { before, kept } = node;
    node.file = { ...(before?.released === false && before.snapshot && kept ? kept : node.memory) };
    node.up = false;
    node.link = 'down';
    if (returnsAfterMs !== undefined) node.returnsAt = this.now + returnsAfterMs;
    if (node.role !== 'primary') return;
    const able = shard.nodes
      .filter((it) => it.up && it.role === 'replica' && !it.noFailover && it.link === 'up' && it.busyMs === 0)
      .sort((a, b) => b.memory.offset - a.memory.offset);
    const [next] = able;
    if (!next) {
      // Nobody may take over: the shard waits for it.
      node.returnsAt ??= this.now + 5000;
      return;
    }
    if (isUnverified(next) || next.memory.wrong)
      this.tell(
        invariants.promoteUnready,
        `${next.address} is elected and ${next.memory.wrong ? 'has dropped writes' : 'was not compared'}`,
      );
    this.#promote(shard, next, undefined);
    node.role = 'replica';
    node.follows = next.address;
  }

  #comeBack(node: SimulatedNode): void {
    const primary = this.primaryOf(this.shard(node.shard));
    // Nobody starts an older server below a newer primary: what-if.md says so.
    if (primary && olderLine(node.release, primary.release)) {
      delete node.returnsAt;
      return;
    }
    // A replica stays one, whoever is away: nobody votes for it any more.
    this.#run(node, node.release, node.file);
    if (node.role === 'primary') Object.assign(node, { link: 'up', busyMs: 0 });
  }

  /** What a person does between two tries: nodes are started, and what differs takes its primary's data anew. */
  heal(): void {
    for (const shard of this.shards) {
      const primaryFirst = [...shard.nodes].sort((a, b) => a.role.localeCompare(b.role));
      for (const node of primaryFirst) {
        if (node.up) continue;
        const primary = this.primaryOf(shard);
        const release = primary && olderLine(node.release, primary.release) ? primary.release : node.release;
        node.noFailover ||= node.role === 'replica' && node.before?.released === false;
        this.#run(node, release, node.file);
        if (node.role === 'primary') Object.assign(node, { link: 'up', busyMs: 0 });
      }
      for (let looks = 0; looks < 50; looks++) this.pass(shard, 100);
      const primary = this.primaryOf(shard);
      for (const node of shard.nodes)
        if (primary && node.memory.wrong && node !== primary && !olderLine(node.release, primary.release))
          node.memory = { ...primary.memory };
    }
  }

  /** Every invariant of what stands, in one shard. */
  check(shard: SimulatedShard): void {
    for (const { invariant, found } of standingViolations(shard)) this.tell(invariant, found);
  }

  /** As every node that is up would tell it. */
  view(only?: string): TopologyView {
    const disagreements: string[] = [];
    const shards = this.shards.flatMap((shard): ShardView[] => {
      for (const node of shard.nodes) if (!node.up) disagreements.push(`${node.address} can't be reached`);
      if (only !== undefined && shard.name !== only) return [];
      const primary = this.primaryOf(shard);
      if (!primary) return [];
      const width = 16384 / this.shards.length;
      const index = this.shards.indexOf(shard);
      return [
        {
          name: shard.name,
          slots: [[Math.floor(index * width), Math.floor((index + 1) * width) - 1]],
          primary: viewOf(primary, shard),
          replicas: shard.nodes.filter((it) => it.up && it !== primary).map((it) => viewOf(it, shard)),
        },
      ];
    });
    return { shards, disagreements, nodeTimeoutMs: 5000 };
  }
}

function viewOf(node: SimulatedNode, shard: SimulatedShard): NodeView {
  const { address, release, role, memory, link, busyMs, follows, starts } = node;
  const replication = {
    primary: follows ?? '',
    link,
    offset: memory.offset,
    loading: busyMs > 0 && link === 'down',
    syncing: busyMs > 0 && link === 'up',
  };
  return {
    ...{ id: address.replace(/\D/g, '').padEnd(40, '0'), address, release, role },
    ...(role === 'replica' ? { replication } : {}),
    ...{ replid: memory.replid.padEnd(40, '0'), offset: memory.offset, backlogBytes: shard.backlogBytes },
    ...{ usedMemoryBytes: 1024 ** 3, maxMemoryBytes: 4 * 1024 ** 3, keys: 1_000_000, uptimeSeconds: 1_000_000 },
    runId: `${address}/${starts}`,
  };
}
