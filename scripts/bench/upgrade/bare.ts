import { readTopology } from '../../../redis/topology.js';
import { until, type Sandbox, type SandboxNode } from '../../sandbox/cluster.js';
import { failOver, end, infoOf, linked, serverOf, startByHand } from '../by-hand.js';

/** What the nodes alone cost, ms: the sum over all of them, one after the other. */
export interface Bare {
  save: number;
  stop: number;
  /** From the start of the process until it has loaded and replicates. */
  load: number;
  total: number;
}

/**
 * Rolls a cluster by hand, without a look to the left or right: SAVE, SHUTDOWN NOSAVE, start, loaded, linked, for every
 * replica and then every old primary. The handovers in between are not counted.
 */
export async function rollByHand(cluster: Sandbox, to: string): Promise<Bare> {
  const program = await serverOf(to);
  const bare: Bare = { save: 0, stop: 0, load: 0, total: 0 };
  const seeds = cluster.nodes.map((node) => node.address);
  const { shards } = await readTopology(cluster.endpoint(), seeds);
  const nodeOf = (address: string): SandboxNode => {
    const node = cluster.nodes.find((it) => it.address === address);
    if (!node) throw new Error(`${address} is none of the cluster's own`);
    return node;
  };
  for (const { primary, replicas } of shards) {
    for (const { address } of replicas) await restart(cluster, nodeOf(address), program, bare);
    const [next] = replicas;
    if (next) await handOver(cluster, nodeOf(primary.address), nodeOf(next.address));
    await restart(cluster, nodeOf(primary.address), program, bare);
  }
  bare.total = bare.save + bare.stop + bare.load;
  return bare;
}

async function restart(cluster: Sandbox, node: SandboxNode, program: string, bare: Bare): Promise<void> {
  const timed = async (what: 'save' | 'stop' | 'load', act: () => Promise<void>): Promise<void> => {
    const begun = performance.now();
    await act();
    bare[what] += performance.now() - begun;
  };
  await timed('save', async () => {
    await using connection = await cluster.connect(node, { timeoutMs: 600_000 });
    await connection.call('SAVE');
  });
  await timed('stop', () => end(cluster, node, 'NOSAVE'));
  await timed('load', async () => {
    await startByHand(node, program);
    await linked(cluster, node);
  });
}

async function handOver(cluster: Sandbox, old: SandboxNode, next: SandboxNode): Promise<void> {
  await failOver(cluster, next);
  await until(`${old.address} follows it`, async () => (await infoOf(cluster, old))['role'] === 'slave');
  await linked(cluster, old);
}
