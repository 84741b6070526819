import { setTimeout as sleep } from 'node:timers/promises';
import { formatSlots } from '../model/topology.js';
import { addressOf, at, connect, type Endpoint, type NodeConnection } from './connection.js';
import { readAccount, type NodeAccount } from './account.js';
import { observePrimaries } from './topology.js';

export interface RoleExpectation {
  /** Address of the node that is to be the shard's primary. */
  primary: string;
  /** Addresses of the nodes that are to replicate it. */
  replicas: readonly string[];
}

/**
 * What still speaks against "`primary` serves the shard and those who decide know it", from each node's own view: its own
 * role, its replicas' primaries (a sibling can stay chained to the old one: redis#15472), and the CLUSTER NODES of this
 * shard's nodes and of every primary that can be read. A node that can't be read is a doubt where it is of this shard, or
 * where without it no majority of the primaries could be asked. Empty when all agree. How third nodes see the replicas is
 * left to the topology gate: that takes their next pings, seconds in which the old primary would go on following a newer
 * version.
 */
export async function roleDoubts(endpoint: Endpoint, { primary, replicas }: RoleExpectation): Promise<string[]> {
  const doubts: string[] = [];
  const shard = [primary, ...replicas];
  const byAddress = new Map<string, NodeAccount>();
  const unreadable = new Map<string, string>();
  const read = (addresses: readonly string[]) =>
    Promise.all(
      addresses.map(async (address) => {
        try {
          byAddress.set(address, await readAccount(at(endpoint, address)));
        } catch (error) {
          unreadable.set(address, error instanceof Error ? error.message : String(error));
        }
      }),
    );
  await read(shard);
  // Replicas of other shards are not asked: one that hangs would take the old primary's time.
  const others = observePrimaries([...byAddress.values()]).map(({ address }) => address);
  await read(others.filter((address) => !shard.includes(address)));
  const primaries = observePrimaries([...byAddress.values()]);
  const silent = primaries.filter(({ reachable }) => !reachable).map(({ address }) => address);
  const missed = silent.length * 2 >= primaries.length ? [...shard, ...silent] : shard;
  for (const [address, reason] of unreadable) if (missed.includes(address)) doubts.push(reason);
  const chosen = byAddress.get(primary);
  if (!chosen) return [...doubts, `${primary} can't be read`];
  const own = chosen.peers.find((peer) => peer.myself);
  if (chosen.node.role !== 'primary') doubts.push(`${primary} calls itself a replica`);
  if (!own || own.slots.length === 0) doubts.push(`${primary} holds no slot`);
  for (const { node, peers, clusterState } of byAddress.values()) {
    const seen = peers.find((peer) => peer.id === chosen.node.id);
    if (clusterState !== 'ok') doubts.push(`${node.address} sees cluster_state:${clusterState}`);
    if (!seen) doubts.push(`${node.address} doesn't know ${primary}`);
    else if (seen.role !== 'primary') doubts.push(`${node.address} still sees ${primary} as replica`);
    else if (own && formatSlots(seen.slots) !== formatSlots(own.slots))
      doubts.push(`${node.address} still sees the shard's slots elsewhere`);
  }
  for (const address of replicas) {
    const replica = byAddress.get(address)?.node;
    if (!replica) continue;
    if (replica.role !== 'replica') doubts.push(`${address} calls itself a primary`);
    else if (replica.replication?.primary !== primary)
      doubts.push(`${address} replicates ${replica.replication?.primary ?? 'nobody'} instead of ${primary}`);
  }
  return [...new Set(doubts)];
}

/** ROLE's first word of one node, over a connection that is already there. */
export async function roleOf(connection: NodeConnection): Promise<'primary' | 'replica'> {
  const [role] = (await connection.call('ROLE')) as [string];
  return role === 'master' ? 'primary' : 'replica';
}

/** Does a primary that was to be replaced serve on? As it says itself, for the end of a sentence. */
export async function whetherItServes(endpoint: Endpoint, address: string): Promise<string> {
  try {
    await using node = await connect(at(endpoint, address));
    return (await roleOf(node)) === 'primary' ? `${address} serves on` : `${address} is no primary any more`;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `${address} does not say whether it serves on (${why})`;
  }
}

/** A replica of a replica of a replica: longer chains are somebody's experiment. */
const LONGEST_CHAIN = 3;

/** Who serves a node's shard by now: the node itself, or whoever it replicates. Somebody may have failed it over. */
export async function servingPrimary(endpoint: Endpoint, address: string): Promise<string> {
  let serving = address;
  for (let links = 0; links < LONGEST_CHAIN; links++) {
    await using node = await connect(at(endpoint, serving));
    const [role, host, port] = (await node.call('ROLE')) as [string, string, number];
    if (role === 'master') return serving;
    serving = addressOf({ host, port });
  }
  return serving;
}

/** Asks again until `read` says yes or the time is up; the last answer either way. */
export async function poll<T>(
  read: () => Promise<T>,
  done: (value: T) => boolean,
  timing: { everyMs: number; withinMs: number; signal?: AbortSignal },
): Promise<T> {
  const deadline = performance.now() + timing.withinMs;
  for (;;) {
    timing.signal?.throwIfAborted();
    const value = await read();
    if (done(value) || performance.now() >= deadline) return value;
    await sleep(timing.everyMs);
  }
}
