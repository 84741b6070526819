import { olderLine } from '../compatibility/release-lines.js';
import type { GatePolicy } from '../policy.js';
import { formatSize } from '../duration.js';
import { lagOf } from '../planning/order.js';
import { allNodes, type NodeView, type ShardView } from '../topology.js';
import { fail, pass, wait, type Verdict } from '../verdict.js';
import type { GateObservation } from './observation.js';

/** `a`, `a and b`, `a, b and 3 more`: a message stays a sentence in a cluster of 600 nodes. */
export function list(items: readonly string[]): string {
  const shown = items.slice(0, 3);
  const rest = items.length - shown.length;
  if (rest > 0) return `${shown.join('; ')} and ${rest} more`;
  return shown.join('; ');
}

/** Do all nodes see the same healthy cluster, with every slot served and none open? */
export function topologyGate({ topology, excused = [] }: GateObservation): Verdict {
  if (topology.shards.length === 0) return wait('no shard was seen', 'a node answers with its topology');
  const { disagreements } = topology;
  return disagreements.length === 0
    ? pass(
        `all ${allNodes(topology).length} nodes agree${excused.length > 0 ? `; ${list(excused)} ${excused.length === 1 ? 'is' : 'are'} down, and waited for by nobody` : ''}`,
      )
    : wait(list(disagreements), 'every node sees the same healthy cluster');
}

/**
 * Is it an older node behind a newer primary? Whatever it says of itself is worth nothing, and a link that needs a dataset
 * never comes up: it can't read what it is given. Its own upgrade ends that, and must not wait for it.
 */
const isOutgrown = ({ primary }: ShardView, replica: NodeView): boolean => olderLine(replica.release, primary.release);

/** Is every replica linked to its own primary and neither loading nor taking a full sync? */
export function replicationGate({ topology }: GateObservation): Verdict {
  if (topology.shards.length === 0) return wait('no shard was seen', 'a node answers with its topology');
  const bare = topology.shards.filter(({ replicas }) => replicas.length === 0).map(({ name }) => name);
  if (bare.length > 0) return fail(`${list(bare)} has no replica`, 'add a replica and wait until it is in sync');
  const outgrown = topology.shards.flatMap((shard) => shard.replicas.filter((it) => isOutgrown(shard, it)));
  const troubles = topology.shards.flatMap(({ primary, replicas }) =>
    replicas.flatMap((replica) => {
      const { address, replication } = replica;
      if (outgrown.includes(replica)) return [];
      if (!replication) return [`${address} says nothing of its replication`];
      if (replication.primary !== primary.address)
        return [`${address} follows ${replication.primary}, not ${primary.address}`];
      if (replication.loading) return [`${address} is loading its dataset`];
      if (replication.syncing) return [`${address} is taking a full sync`];
      return replication.link === 'up' ? [] : [`${address} has lost its link to ${primary.address}`];
    }),
  );
  if (troubles.length > 0) return wait(list(troubles), 'every replica follows its primary');
  if (outgrown.length === 0) return pass('every replica is linked');
  const addresses = list(outgrown.map(({ address }) => address));
  return pass(`every replica is linked, but for what is older than its primary: ${addresses}`);
}

/** Is every replica near enough to its primary, by bytes of the stream? */
export function lagGate({ topology }: GateObservation, { maxLag }: GatePolicy): Verdict {
  if (topology.shards.every(({ replicas }) => replicas.length === 0))
    return wait('no replica was seen', 'a node answers with its topology');
  const lags = topology.shards.flatMap((shard) =>
    shard.replicas
      .filter((replica) => !isOutgrown(shard, replica))
      .map((replica) => ({ address: replica.address, bytes: lagOf(shard, replica) })),
  );
  const behind = lags.filter(({ bytes }) => !(bytes <= maxLag));
  if (behind.length > 0)
    return wait(
      list(behind.map(({ address, bytes }) => `${address} is ${formatSize(bytes)} behind`)),
      `every replica is at most ${formatSize(maxLag)} behind (policy.gates.maxLag)`,
    );
  return pass(`at most ${formatSize(Math.max(0, ...lags.map(({ bytes }) => bytes)))} behind`);
}

const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`;

/** Is there memory left: of maxmemory, or of the machine where none is set? */
export function memoryGate({ topology, resources }: GateObservation, { memoryHeadroom }: GatePolicy): Verdict {
  const unknown: string[] = [];
  const tight: string[] = [];
  for (const { address, maxMemoryBytes, usedMemoryBytes } of allNodes(topology)) {
    const machine = resources[address];
    if (maxMemoryBytes > 0) {
      const free = maxMemoryBytes - usedMemoryBytes;
      if (!(free >= memoryHeadroom * maxMemoryBytes))
        tight.push(`${address} has ${percent(Math.max(0, free / maxMemoryBytes))} of its maxmemory free`);
    } else if (!machine || !(machine.memoryTotalBytes > 0)) unknown.push(address);
    else {
      const { memoryFreeBytes: free, memoryTotalBytes: total } = machine;
      if (!(free >= memoryHeadroom * total))
        tight.push(`the machine of ${address} has ${percent(free / total)} of its memory free`);
    }
  }
  return headroom(
    topology.shards.length,
    tight,
    unknown,
    'memory',
    percent(memoryHeadroom),
    'policy.gates.memoryHeadroom',
  );
}

/** Is there room for another snapshot beside what lies there? */
export function diskGate({ topology, resources }: GateObservation, { diskHeadroom }: GatePolicy): Verdict {
  const unknown: string[] = [];
  const tight: string[] = [];
  for (const { address, usedMemoryBytes } of allNodes(topology)) {
    const free = resources[address]?.diskFreeBytes;
    if (free === undefined) unknown.push(address);
    // A snapshot is seldom larger than the memory that it was taken from.
    else if (!(free >= usedMemoryBytes * diskHeadroom))
      tight.push(`${address} has ${formatSize(free)} of disk free for ${formatSize(usedMemoryBytes)} of data`);
  }
  return headroom(
    topology.shards.length,
    tight,
    unknown,
    'disk',
    `${diskHeadroom} × the data`,
    'policy.gates.diskHeadroom',
  );
}

function headroom(
  shards: number,
  tight: readonly string[],
  unknown: readonly string[],
  what: string,
  needed: string,
  setting: string,
): Verdict {
  if (tight.length > 0) return fail(list(tight), `at least ${needed} of ${what} is free (${setting})`);
  if (unknown.length > 0 || shards === 0)
    return wait(
      `the free ${what} of ${unknown.length > 0 ? list(unknown) : 'every node'} is not known`,
      'the platform answers',
    );
  return pass(`at least ${needed} free everywhere`);
}
