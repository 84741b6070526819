import type { PrimaryObservation } from '../model/handover.js';
import { eachNode } from '../model/in-parallel.js';
import { allNodes, formatSlots, slotCount, SLOTS, type ShardView, type TopologyView } from '../model/topology.js';
import { readAccount, type NodeAccount } from './account.js';
import { isGhost, type ClusterNodesLine, type KnownLines } from './cluster-nodes.js';
import { at, type Endpoint } from './connection.js';
import { askOtherSeeds, enterBySeed, strayed } from './seeds.js';

export interface Accounts {
  topology: TopologyView;
  /** Of every node that could be read. */
  accounts: NodeAccount[];
  /** Of every node that the cluster counts as its own, those that could not be read included. */
  memberAddresses: string[];
  /** Absent where nobody is. */
  down?: Down;
}

/** Members that are down for everyone, and not for whoever reads alone; they have no slots. */
export interface Down {
  addresses: string[];
  /** What would be left of the topology's disagreements, were they no members. */
  disagreements: string[];
}

/**
 * Reads the cluster from every node's own view, in parallel. A node that can't be read is a disagreement, not an error;
 * it is missing from the shards. So is a seed that answers and that no node knows; one that is away is neither, where
 * another answers.
 *
 * @throws RolloutError Unreachable, Unauthorized, … when no seed answers; BadInput when a seed is not a cluster node
 */
export async function readTopology(endpoint: Endpoint, seeds: readonly string[]): Promise<TopologyView> {
  return (await readAccounts(endpoint, seeds)).topology;
}

/**
 * As readTopology, with each node's own account beside it.
 *
 * @param ofShard ids of a shard's nodes: only they are read, and who is in one shard with them by now. What they see of
 * the others is judged all the same; whether the others see them so is not known.
 */
export async function readAccounts(
  endpoint: Endpoint,
  seeds: readonly string[],
  ofShard?: readonly string[],
): Promise<Accounts> {
  const known: KnownLines = new Map();
  const entrance = await enterBySeed(endpoint, seeds, known);
  const { account: first } = entrance;
  const unread = new Map<string, string>();
  const read = new Map<string, NodeAccount | undefined>([[first.node.id, first]]);
  const members = new Map<string, ClusterNodesLine>();
  const readMore = async (): Promise<boolean> => {
    const accounts = [...read.values()].filter((account) => account !== undefined);
    const lines = ofShard === undefined ? differentLines(accounts) : shardLines(accounts, ofShard);
    for (const line of lines)
      if (line.health !== 'handshake' && line.health !== 'noaddr' && !members.has(line.id)) members.set(line.id, line);
    const more = [...members.values()].filter(({ id }) => !read.has(id));
    const found = await eachNode(more, async ({ id, address }) => {
      try {
        return await readAccount(at(endpoint, address), known);
      } catch (error) {
        unread.set(id, error instanceof Error ? error.message : String(error));
        return undefined;
      }
    });
    for (const [n, { id }] of more.entries()) read.set(id, found[n]);
    return more.length > 0;
  };
  const readMembers = async (): Promise<void> => {
    // Whoever one of them names that the seed didn't is one of them too.
    while (await readMore());
  };
  const [others] = await Promise.all([
    ofShard === undefined ? askOtherSeeds(endpoint, entrance, known) : [],
    readMembers(),
  ]);
  const accounts = asAnnounced(
    first,
    [...members.keys()].flatMap((id) => read.get(id) ?? []),
  );
  const ids = new Set(members.keys());
  const { address } = (accounts.find(({ node }) => node.id === first.node.id) ?? first).node;
  const seed = ofShard === undefined ? undefined : first;
  const without = (excused: ReadonlySet<string>): string[] => {
    const silent = [...unread].flatMap(([id, why]) => (excused.has(id) ? [] : [why]));
    const strays = others.flatMap((it) => strayed(it, address, ids) ?? []);
    return [...new Set([...silent, ...disagreementsAmong(accounts, { seed, excused }), ...strays])].sort();
  };
  const down = new Set([...unread.keys()].filter((id) => isDown(id, accounts)));
  return {
    ...(down.size === 0
      ? {}
      : { down: { addresses: [...down].map((id) => members.get(id)?.address ?? id), disagreements: without(down) } }),
    topology: {
      shards: shardsOf(accounts),
      disagreements: without(new Set()),
      nodeTimeoutMs: Math.max(...[first, ...accounts].map((account) => account.nodeTimeoutMs)),
    },
    accounts,
    memberAddresses: [...members.values()].map(
      (peer) => accounts.find(({ node }) => node.id === peer.id)?.node.address ?? peer.address,
    ),
  };
}

/** Members of the cluster that can't be read. */
export function awayAmong({ accounts, memberAddresses }: Accounts): string[] {
  const read = new Set(accounts.map(({ node }) => node.address));
  return memberAddresses.filter((address) => !read.has(address));
}

/** A node that owns slots is never down for good: whoever is to serve them has to be found first. */
function isDown(id: string, accounts: readonly NodeAccount[]): boolean {
  const seen = accounts.flatMap(({ peers }) => peers.filter((peer) => peer.id === id));
  return seen.length > 0 && seen.every(({ health, slots }) => health !== 'ok' && slots.length === 0);
}

/** The same lines, most of them: each once. */
function differentLines(accounts: readonly NodeAccount[]): Set<ClusterNodesLine> {
  const lines = new Set<ClusterNodesLine>();
  for (const { peers } of accounts) for (const peer of peers) lines.add(peer);
  return lines;
}

/** Lines of those that are, in anybody's view, in one shard with a node of these ids. */
function shardLines(accounts: readonly NodeAccount[], ids: readonly string[]): ClusterNodesLine[] {
  return accounts.flatMap(({ peers }) => {
    const leaders = new Set(peers.filter(({ id }) => ids.includes(id)).map(leaderOf));
    return peers.filter((peer) => leaders.has(leaderOf(peer)));
  });
}

const leaderOf = ({ id, primaryId }: ClusterNodesLine): string => primaryId ?? id;

/**
 * A seed may be written as the cluster doesn't know it (`localhost`, a name of DNS): the node is called by the address
 * that its peers have of it, which is the one that its replicas name as their primary's, else by the one it has itself.
 */
function asAnnounced(seed: NodeAccount, accounts: readonly NodeAccount[]): NodeAccount[] {
  const lines = [...accounts.filter((it) => it !== seed), seed].map(({ peers }) =>
    peers.find((line) => line.id === seed.node.id && line.announced),
  );
  const address = lines.find((line) => line !== undefined)?.address;
  if (address === undefined) return [...accounts];
  return accounts.map((it) => (it === seed ? { ...it, node: { ...it.node, address } } : it));
}

/**
 * What each primary that owns slots says of the others and of the epoch, as the handover's decisions look at it. One that
 * could not be read is known from the others: they see slots at it.
 */
export function observePrimaries(accounts: readonly NodeAccount[]): PrimaryObservation[] {
  const read = accounts
    .filter(({ node, peers }) => node.role === 'primary' && (peers.find((peer) => peer.myself)?.slots.length ?? 0) > 0)
    .map(({ node, peers, currentEpoch }) => ({
      address: node.address,
      reachable: true,
      knows: peers.filter((peer) => peer.health === 'ok' && (peer.linkUp || peer.myself)).map((peer) => peer.id),
      currentEpoch,
    }));
  const ids = new Set(accounts.map(({ node }) => node.id));
  const silent = accounts
    .flatMap(({ peers }) => peers)
    .filter((peer) => peer.role === 'primary' && peer.slots.length > 0 && !ids.has(peer.id));
  const silentById = new Map(silent.map(({ id, address }) => [id, address]));
  return [
    ...read,
    ...[...silentById.values()].map((address) => ({ address, reachable: false, knows: [], currentEpoch: 0 })),
  ];
}

/**
 * Shards are named by the order of their first slots, those of primaries that can't be read included: a shard keeps its
 * name while another's primary is away.
 */
function shardsOf(accounts: readonly NodeAccount[]): ShardView[] {
  const starts = new Set([...differentLines(accounts)].flatMap(({ slots }) => slots[0]?.[0] ?? []));
  const rank = (start: number): number => [...starts].filter((other) => other < start).length + 1;
  const members = accounts.map(({ node, peers }) => ({ node, own: peers.find((peer) => peer.myself) }));
  const owners = members
    .map(({ node, own }) => ({ node, slots: own?.slots ?? [] }))
    .filter(({ node, slots }) => node.role === 'primary' && slots.length > 0)
    .sort((a, b) => (a.slots[0]?.[0] ?? 0) - (b.slots[0]?.[0] ?? 0));
  return owners.map(({ node, slots }) => ({
    name: `shard-${rank(slots[0]?.[0] ?? 0)}`,
    slots,
    primary: node,
    replicas: members
      .filter(({ own }) => own?.primaryId === node.id)
      .map((it) => it.node)
      .sort((a, b) => a.address.localeCompare(b.address)),
  }));
}

/**
 * @param seed where one shard alone was read, whose view tells of the slots of the others
 * @param excused ids of nodes that nobody has to see as healthy
 */
function disagreementsAmong(
  accounts: readonly NodeAccount[],
  { seed, excused }: { seed: NodeAccount | undefined; excused: ReadonlySet<string> },
): string[] {
  const found: string[] = [];
  // Every node has a line on every other: at 1,000 nodes a look through a list for each line would take minutes.
  const all = new Map(
    accounts.map((account) => [account.node.id, { ...account, own: account.peers.find((peer) => peer.myself) }]),
  );
  for (const { node, peers, clusterState } of accounts) {
    if (clusterState !== 'ok') found.push(`${node.address} sees cluster_state:${clusterState}`);
    for (const peer of peers) {
      if (peer.health !== 'ok' && !excused.has(peer.id) && !isGhost(peer))
        found.push(`${node.address} sees ${peer.address} as ${peer.health}`);
      if (peer.openSlots.length > 0 && peer.myself)
        found.push(`${node.address} has open slots: ${peer.openSlots.join(' ')}`);
      const self = all.get(peer.id);
      if (!self) continue;
      if (peer.role !== self.node.role)
        found.push(`${node.address} sees ${peer.address} as ${peer.role}, which calls itself ${self.node.role}`);
      const { own } = self;
      if (own && peer.role === 'replica' && self.node.role === 'replica' && peer.primaryId !== own.primaryId)
        found.push(`${node.address} sees ${peer.address} as replica of another primary than it says itself`);
      if (own && self.node.role === 'primary' && formatSlots(peer.slots) !== formatSlots(own.slots))
        found.push(`${node.address} sees other slots at ${peer.address} than it says itself`);
    }
    const knows = new Set(peers.map(({ id }) => id));
    for (const [id, other] of all) if (!knows.has(id)) found.push(`${node.address} doesn't know ${other.node.address}`);
  }
  const shards = shardsOf(accounts);
  const placed = new Set(allNodes({ shards }).map(({ id }) => id));
  for (const { node, peers } of accounts.filter((it) => !placed.has(it.node.id))) {
    const upstream = peers.find((peer) => peer.myself)?.primaryId;
    if (node.role === 'primary') found.push(`${node.address} is a primary without slots: ${whatItIs(peers)}`);
    else if (upstream !== undefined && all.has(upstream))
      found.push(`${node.address} replicates ${all.get(upstream)?.node.address ?? upstream}, which serves no slot`);
  }
  const covered = slotCount((seed?.peers ?? shards).flatMap(({ slots }) => slots));
  if (covered !== SLOTS) found.push(`${covered} of ${SLOTS} slots are covered`);
  return found;
}

/** A worker that has lost its state folder doesn't know its standbys; that many importing slots are nothing else. */
function whatItIs(peers: readonly ClusterNodesLine[]): string {
  const own = peers.find(({ myself }) => myself);
  const importing = own?.openSlots.filter((it) => it.includes('-<-')).length ?? 0;
  if (importing < STANDBY_IMPORTS) return 'it is in no shard';
  const owner = /-<-([0-9a-f]+)/.exec(own?.openSlots[0] ?? '')?.[1];
  const whose = peers.find(({ id }) => id === owner)?.address ?? 'another';
  return `it imports ${importing} slots of ${whose}, as the standby of a fallback does, and standbys.json in this worker's state folder of the deployment doesn't name it. Put that file back; or, if nobody wants to go back any more, have every node forget it (CLUSTER FORGET ${own?.id ?? ''}), end it and remove its folder`;
}

/** A slot that somebody is just moving is one or a few. */
const STANDBY_IMPORTS = 100;
